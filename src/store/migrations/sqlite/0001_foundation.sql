-- Times are milliseconds since 1970 in UTC; keys are 64-bit integers.

-- A publication. `definition` is what `newsletter apply` read; the other
-- columns are what queries ask for.
create table newsletter (
    id integer primary key autoincrement,
    slug text not null constraint newsletter_slug_taken unique,
    title text not null,
    language text not null,
    definition text not null check (json_valid(definition)),
    next_at integer,               -- the schedule's next moment; null: no schedule
    last_slot text,               -- local time of the last moment that fired
    created_at integer not null,
    updated_at integer not null
) strict;

-- Where articles come from.
create table source (
    id integer primary key autoincrement,
    slug text not null constraint source_slug_taken unique,
    kind text not null check (kind in ('feed', 'page', 'folder', 'push')),
    address text not null,
    definition text not null check (json_valid(definition)),    -- selectors, categories, limits, period
    etag text,
    last_modified text,
    next_at integer,               -- when to fetch again; null: by hand only
    fetched_at integer,
    failure text,                 -- why the last fetch failed; null: it did not
    failures integer not null default 0,
    created_at integer not null
) strict;

-- One record. `source_id` is null for what was added by hand.
create table article (
    id integer primary key autoincrement,
    source_id integer references source (id) on delete set null,
    guid text not null,           -- the source's own identifier, else the web address, else a hash
    origin text not null,         -- source slug, or 'hand': with guid the identity of an entry
    revision integer not null default 1,
    content_hash blob not null,
    title text not null,
    url text,
    language text,
    record text not null check (json_valid(record)),
    published_at integer,
    first_seen_at integer not null,
    updated_at integer not null,
    constraint article_once unique (origin, guid)
) strict;
create index article_by_time on article (first_seen_at, id);
create index article_by_source on article (source_id, id);

create table article_revision (
    article_id integer not null references article (id) on delete cascade,
    revision integer not null,
    content_hash blob not null,
    record text not null check (json_valid(record)),
    seen_at integer not null,
    primary key (article_id, revision)
) strict;

-- Pictures as we serve them, by the SHA-256 of their bytes.
create table picture (
    hash blob primary key,
    small blob references picture (hash),  -- its copy for narrow places; null: it is narrow itself
    media_type text not null,
    width integer not null,
    height integer not null,
    bytes blob not null,
    created_at integer not null
) strict;

-- Which address gave which picture; a null hash says why there is none.
create table picture_origin (
    url text primary key,
    hash blob references picture (hash),
    failure text,
    fetched_at integer not null
) strict;

-- One edition of a newsletter.
create table issue (
    id integer primary key autoincrement,
    newsletter_id integer not null references newsletter (id),
    number integer not null,
    state text not null check (state in ('draft', 'queued', 'expanding', 'sending', 'paused', 'finished', 'cancelled')),
    subject text not null,
    preheader text not null,
    content text not null check (json_valid(content)),       -- editorial and sections of article keys with revisions
    slot text,                    -- local time of the schedule's moment that made it
    send_at integer,               -- queued: not before this moment
    paused_from text,             -- paused: the state to come back to
    paused_why text,
    idempotency_key text,         -- of the request that queued it
    approved_hash blob,          -- what an approver saw: mail and sender
    approved_by text,
    approved_at integer,
    content_hash blob,           -- of the frozen letter
    total integer,                 -- readers counted when frozen
    expand_pass integer not null default 0,   -- share of the addresses that is being expanded
    expand_cursor integer not null default 0, -- last subscription expanded in it
    wave_size integer,                 -- so many go out first; null: all at once
    wave_minutes integer,              -- and so long the rest waits for what comes back
    wave_until integer,                -- until when; null: the first ones are not all out
    guard text check (guard is null or json_valid(guard)),                   -- what a guard saw when it paused the issue; null: none did
    created_at integer not null,
    frozen_at integer,
    finished_at integer,
    updated_at integer not null,
    constraint issue_number_taken unique (newsletter_id, number),
    constraint issue_slot_taken unique (newsletter_id, slot)
) strict;
create index issue_by_state on issue (state, send_at);

-- Which articles an issue shows, for "readers had it already" and the archive.
create table issue_article (
    issue_id integer not null references issue (id) on delete cascade,
    position integer not null,
    section text not null,
    article_id integer not null references article (id),
    revision integer not null,
    primary key (issue_id, position),
    constraint issue_article_once unique (issue_id, article_id)
) strict;
create index issue_article_by_article on issue_article (article_id);

-- Where links lead: asked once a day at most.
create table link (
    address text primary key,
    dead integer not null,
    why text not null,            -- empty: it answered
    title text not null,          -- of the page, where it was read; else empty
    checked_at integer not null
) strict;

-- The letter as frozen: segments and slots in our own framing.
create table letter (
    issue_id integer primary key references issue (id) on delete cascade,
    content_hash blob not null,
    frozen blob not null,
    created_at integer not null
) strict;

-- A person with an address.
create table subscriber (
    id integer primary key autoincrement,
    address text not null,
    address_normal text not null constraint subscriber_address_taken unique,
    address_hash blob not null constraint subscriber_hash_taken unique,
    domain text not null,
    salutation text not null default '',
    given_name text not null default '',
    family_name text not null default '',
    language text,
    created_at integer not null,
    updated_at integer not null
) strict;

create table subscription (
    id integer primary key autoincrement,
    subscriber_id integer not null references subscriber (id) on delete cascade,
    newsletter_id integer not null references newsletter (id) on delete cascade,
    standing text not null check (standing in ('pending', 'active', 'paused', 'left', 'unreachable', 'complained')),
    since integer not null,
    paused_until integer,
    bounce_score real not null default 0,
    bounce_scored_at integer,
    last_hard_at integer,
    constraint subscription_once unique (subscriber_id, newsletter_id)
) strict;
create index subscription_by_newsletter on subscription (newsletter_id, id) where standing = 'active';
create index subscription_paused on subscription (paused_until) where paused_until is not null;

-- What changed a standing, with its evidence. Append-only.
create table standing_event (
    id integer primary key autoincrement,
    subscription_id integer not null references subscription (id) on delete cascade,
    was text not null,
    became text not null,
    reason text not null,         -- link, one-click, import, bounce, complaint, editor …
    evidence text not null check (json_valid(evidence)),
    at integer not null
) strict;
create index standing_event_by_subscription on standing_event (subscription_id, id);

-- What the person was told and did. Append-only.
create table consent (
    id integer primary key autoincrement,
    subscriber_id integer not null references subscriber (id) on delete cascade,
    newsletter_id integer not null references newsletter (id),
    act text not null,            -- requested, confirmed, imported, added, withdrawn
    wording text not null,        -- the exact text shown, or where the consent is kept
    source text not null,
    at integer not null
) strict;
create index consent_by_subscriber on consent (subscriber_id, id);

-- What stays of a consent after erasure, by hash, until claims are barred.
create table consent_proof (
    id integer primary key autoincrement,
    address_hash blob not null,
    newsletter_id integer not null references newsletter (id),
    act text not null,
    wording text not null,
    source text not null,
    at integer not null,
    keep_until integer not null
) strict;
create index consent_proof_by_end on consent_proof (keep_until);

-- Addresses that get nothing, whatever a list says. Survives erasure.
create table suppression (
    address_hash blob primary key,
    reason text not null check (reason in ('left', 'complained', 'unreachable', 'erased', 'operator')),
    note text not null default '',
    at integer not null
) strict;

-- The ledger: one row per issue and address.
-- A list of more than two words makes SQLite build a table of them for every row that it
-- checks, so those of rows that change often are written in pairs: half the cost of an
-- update. Queries repeat an index's words as they are.
create table delivery (
    id integer primary key autoincrement,
    issue_id integer not null references issue (id),
    subscriber_id integer,        -- null: erased, see subscriber_gone
    address_hash blob not null,
    domain text not null,
    state text not null check (
        state in ('queued', 'claimed') or state in ('sending', 'accepted')
        or state in ('deferred', 'failed') or state in ('unknown', 'cancelled')
    ),
    generation integer not null default 0,
    attempts integer not null default 0,
    deaths integer not null default 0, -- workers that died while it was on the wire
    worker_id integer,
    next_at integer not null default 0,  -- deferred, or queued again: not before
    transport text,               -- the one it was marked for last
    stage text,                   -- where the session stood when the outcome was known
    code integer,                  -- reply code, three digits
    reply text,                   -- the server's own words, at most 1 KiB
    cause text,                   -- failed: permanent, expired, poison, unknown
    -- Where the books count it: see tally.
    place text generated always as (case
        when state in ('queued', 'claimed') or state = 'sending' then 'waiting'
        when state = 'failed' and cause = 'permanent' then 'refused'
        else state
    end) virtual,
    evidence text check (evidence in ('bounced', 'complained', 'delayed', 'delivered', 'refused')),
    evidence_at integer,
    changed_at integer not null,
    constraint delivery_once unique (issue_id, address_hash)
) strict;
-- Narrow indexes: the claim, the reaper, who did not get it.
create index delivery_due on delivery (issue_id, next_at, id) where state in ('queued', 'deferred');
create index delivery_held on delivery (issue_id, state, worker_id) where state in ('claimed', 'sending') or state = 'unknown';
create index delivery_missing on delivery (issue_id, id) where state in ('deferred', 'failed') or state in ('unknown', 'cancelled') or evidence in ('bounced', 'complained');
-- Refused for good, and not yet counted for its reader.
create index delivery_refused on delivery (id) where state = 'failed' and cause = 'permanent' and evidence is null;

-- The books of an issue: how many of its deliveries stand where, by place (queued,
-- claimed and sending are one: waiting), and how many bounced or were complained
-- about. Kept by triggers, so that no statement can forget them.
create table tally (
    issue_id integer not null references issue (id) on delete cascade,
    place text not null,
    deliveries integer not null,
    primary key (issue_id, place)
) strict, without rowid;
create trigger delivery_written after insert on delivery begin
    insert into tally (issue_id, place, deliveries) values (new.issue_id, new.place, 1)
    on conflict (issue_id, place) do update set deliveries = deliveries + 1;
end;
create trigger delivery_moved after update of state, cause on delivery when new.place <> old.place begin
    insert into tally (issue_id, place, deliveries)
    values (old.issue_id, old.place, -1), (new.issue_id, new.place, 1)
    on conflict (issue_id, place) do update set deliveries = deliveries + excluded.deliveries;
end;
create trigger delivery_evident after update of evidence on delivery when new.evidence is not old.evidence begin
    update tally set deliveries = deliveries - 1
    where issue_id = old.issue_id and place = old.evidence and old.evidence in ('bounced', 'complained');
    insert into tally (issue_id, place, deliveries)
    select new.issue_id, new.evidence, 1 where new.evidence in ('bounced', 'complained')
    on conflict (issue_id, place) do update set deliveries = deliveries + 1;
end;
create trigger delivery_gone after delete on delivery begin
    update tally set deliveries = deliveries - 1
    where issue_id = old.issue_id and place in (old.place, old.evidence);
end;

-- The ledger forgets who was erased. No foreign key: it would want an index over all
-- deliveries there ever were, and every new issue would cost more than the last. By
-- issue and address each of a person's deliveries is one step away.
create trigger subscriber_gone after delete on subscriber begin
    update delivery set subscriber_id = null
    where issue_id in (select id from issue) and address_hash = old.address_hash;
end;

-- Tries that did not end in "accepted", in the server's own words.
create table attempt (
    id integer primary key autoincrement,
    delivery_id integer not null references delivery (id) on delete cascade,
    generation integer not null,
    outcome text not null,
    transport text,
    stage text not null,
    code integer,
    reply text not null,
    at integer not null
) strict;
create index attempt_by_delivery on attempt (delivery_id, id);

-- Processes that deliver.
create table worker (
    id integer primary key autoincrement,
    host text not null,
    boot text not null,           -- changes when the host restarts
    started_at integer not null,
    heartbeat_at integer not null,
    stopped_at integer
) strict;

-- Buckets and breakers, so that a restart does not burst. Domain '' is the transport itself.
create table pace (
    transport text not null,
    host text not null,           -- machine and data directory of the process that learnt it
    state text not null check (json_valid(state)),
    updated_at integer not null,
    primary key (transport, host)
) strict;

-- Small mails beside the issues, each sent once at most: a probe asks a dead address
-- again, a person's reply is handed on. One for each delivery, or each mail, that causes it.
create table errand (
    id integer primary key autoincrement,
    kind text not null check (kind in ('probe', 'reply')),
    bounce_id integer not null,       -- what caused it
    newsletter_id integer not null references newsletter (id) on delete cascade,
    subscriber_id integer references subscriber (id) on delete cascade,
    delivery_id integer references delivery (id) on delete set null,
    state text not null check (state in ('queued', 'sending', 'accepted', 'failed', 'unknown', 'cancelled')),
    attempts integer not null default 0,
    next_at integer not null,        -- not before
    lease_until integer,             -- sending: whoever sends it is dead after that
    stage text,                   -- where the session stood when the outcome was known
    code integer,                    -- reply code, three digits
    reply text,                   -- the server's own words, at most 1 KiB
    outcome text check (outcome in ('bounced', 'silent', 'taken back')),  -- what came back, or that it counts for nothing
    created_at integer not null,
    changed_at integer not null,
    constraint errand_once unique (kind, bounce_id)
) strict;
create index errand_due on errand (next_at, id) where state in ('queued', 'sending');
create index errand_open on errand (changed_at) where kind = 'probe' and outcome is null;
create index errand_by_subscriber on errand (subscriber_id) where subscriber_id is not null;

-- What came back. `raw` is kept until retention ends, never deleted unread.
create table bounce (
    id integer primary key autoincrement,
    digest blob not null constraint bounce_once unique,
    intake text not null,         -- file, maildir, imap, pop3, lmtp, webhook …
    kind text not null,
    report text not null check (json_valid(report)),
    raw blob,
    delivery_id integer references delivery (id) on delete set null,
    errand_id integer references errand (id) on delete set null,
    verdict text not null,        -- new, applied, noted, review, forged, stale, untied, decided
    why text not null default '',
    received_at integer not null,
    decided_at integer,
    decision text
) strict;
create index bounce_new on bounce (id) where verdict = 'new';
create index bounce_for_review on bounce (id) where verdict = 'review';
create index bounce_by_delivery on bounce (delivery_id);
create index bounce_by_time on bounce (received_at);

-- How far each mailbox has been read: UIDVALIDITY and UID, or a file's beginning and offset.
create table intake_progress (
    place text primary key,
    validity integer not null,
    position integer not null,
    updated_at integer not null
) strict;

-- Mails of a POP3 mailbox that are stored and still there, by UIDL.
create table intake_seen (
    place text not null,
    uid text not null,
    at integer not null,
    primary key (place, uid)
) strict;

-- Tokens of providers that are taken once, as hashes; forgotten after two days.
create table webhook_token (
    digest blob primary key,
    at integer not null
) strict;
create index webhook_token_by_age on webhook_token (at);

-- What editors taught the reader of bounces.
create table phrase (
    id integer primary key autoincrement,
    words text not null unique,
    reason text not null,
    hard integer,
    at integer not null
) strict;

-- Who did what: sent, paused, cancelled, exported, erased. No addresses.
create table audit (
    id integer primary key autoincrement,
    at integer not null,
    actor text not null,
    act text not null,
    noun text not null,
    noun_id integer,
    detail text not null check (json_valid(detail))
) strict;
