//! Every interleaving of a small world over the real transition functions: one
//! delivery, two workers, two crashes, leases that expire at any time, replies
//! that are lost. Checked in every reachable state: nothing recorded as accepted
//! that was not received; copies at most one plus the dots without a synced
//! reply; nothing taken as never written that was; and a way out of it. The two mutants
//! of the contract must be caught, and one that trusts a journal that forgets.

use std::collections::{HashMap, HashSet, VecDeque};

use rundbrief::delivery::state::{Holder, Row, Settlement, State, Step, apply};

/// Crashes in one history.
const CRASHES: u8 = 2;
/// Claims in one history; enough for both workers to try twice.
const GENERATIONS: i64 = 4;

/// What one worker is doing, with the generation it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Down,
    Idle,
    Claimed(i64),
    Marked(i64),
    /// The journal says that the dot is about to be written.
    Begun(i64),
    /// The dot is out; the relay has it, or dropped the connection before.
    Dotted(i64),
    Replied(i64),
    Journaled(i64),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    row: Row,
    phase: [Phase; 2],
    /// The journals: the last dot begun, the last reply synced.
    begun: [Option<i64>; 2],
    synced: [Option<i64>; 2],
    /// The lease ran out by the clock that both see.
    expired: [bool; 2],
    received: u8,
    /// Dots whose reply never reached a journal.
    unsynced: u8,
    crashes: u8,
    /// The dot of this generation was written.
    dotted: bool,
    /// A restart took it as never written, and its dot was.
    denied: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutant {
    None,
    SendingStraightBack,
    NoDurableMark,
    UnknownNeverWritten,
}

fn reap(row: &Row, mutant: Mutant) -> Option<Row> {
    if mutant == Mutant::SendingStraightBack && row.state == State::Sending {
        return Some(Row { state: State::Queued, worker: None, ..row.clone() });
    }
    apply(row, Step::Reap)
}

fn accept(row: &Row, by: Holder, mutant: Mutant) -> Option<Row> {
    let claimed = row.state == State::Claimed && row.generation == by.generation;
    if mutant == Mutant::NoDurableMark && claimed {
        return Some(Row { state: State::Accepted, worker: None, ..row.clone() });
    }
    apply(row, Step::Accept(by))
}

/// Everything that can happen next.
fn successors(world: &World, mutant: Mutant) -> Vec<World> {
    let mut next = Vec::new();
    for w in 0..2 {
        work(world, w, mutant, &mut next);
        if world.phase[w] == Phase::Idle {
            // All it noted is recorded: the journal may forget it, and turn.
            let mut after = world.clone();
            (after.begun[w], after.synced[w]) = (None, None);
            next.push(after);
        }
        if world.phase[w] == Phase::Down {
            next.push(restart(world, w, mutant));
        } else {
            crash(world, w, &mut next);
        }
        expire(world, w, mutant, &mut next);
    }
    settle(world, &mut next);
    next
}

/// One step of a worker's own work.
fn work(world: &World, w: usize, mutant: Mutant, next: &mut Vec<World>) {
    let id = w as i64;
    let mut go = |change: &dyn Fn(&mut World)| {
        let mut after = world.clone();
        change(&mut after);
        next.push(after);
    };
    let by = |generation| Holder { worker: id, generation };
    match world.phase[w] {
        Phase::Down => {}
        Phase::Idle if world.expired[w] => go(&|after| after.expired[w] = false),
        Phase::Idle if world.row.generation >= GENERATIONS => {}
        Phase::Idle => {
            go(&|after| take(after, w, Step::Claim(id), Phase::Claimed));
            go(&|after| take(after, w, Step::Begin(id), Phase::Marked));
        }
        Phase::Claimed(g) if mutant == Mutant::NoDurableMark => {
            go(&|after| after.phase[w] = Phase::Marked(g));
        }
        Phase::Claimed(g) => {
            let marked = apply(&world.row, Step::Mark(by(g)));
            go(&|after| match &marked {
                Some(row) => {
                    after.row = row.clone();
                    after.phase[w] = Phase::Marked(g);
                }
                None => after.phase[w] = Phase::Idle,
            });
        }
        Phase::Marked(g) => go(&|after| {
            after.begun[w] = Some(g).filter(|g| *g == after.row.generation);
            after.phase[w] = Phase::Begun(g);
        }),
        Phase::Begun(g) => {
            // The last look may say no at any time, and must when the lease is gone.
            go(&|after| {
                after.phase[w] = Phase::Idle;
                if let Some(row) = apply(&after.row, Step::GiveBack(by(g))) {
                    after.row = row;
                }
            });
            if !world.expired[w] {
                go(&|after| {
                    after.received += 1;
                    after.dotted |= g == after.row.generation;
                    after.phase[w] = Phase::Dotted(g);
                });
                // The relay drops the connection and keeps nothing.
                go(&|after| {
                    after.dotted |= g == after.row.generation;
                    lose(after, w, by(g));
                });
            }
        }
        Phase::Dotted(g) => {
            go(&|after| after.phase[w] = Phase::Replied(g));
            go(&|after| lose(after, w, by(g)));
        }
        Phase::Replied(g) => go(&|after| {
            after.synced[w] = Some(g).filter(|g| *g == after.row.generation);
            after.phase[w] = Phase::Journaled(g);
        }),
        Phase::Journaled(g) => go(&|after| {
            after.phase[w] = Phase::Idle;
            prove(after, by(g), mutant);
        }),
    }
}

/// Claims it, for later or for at once.
fn take(world: &mut World, w: usize, step: Step, phase: fn(i64) -> Phase) {
    if let Some(row) = apply(&world.row, step) {
        world.phase[w] = phase(row.generation);
        world.row = row;
        // Nobody asks any more about an older generation.
        (world.begun, world.synced, world.dotted) = ([None; 2], [None; 2], false);
    }
}

/// The reply never came.
fn lose(world: &mut World, w: usize, by: Holder) {
    world.unsynced += 1;
    world.phase[w] = Phase::Idle;
    if let Some(row) = apply(&world.row, Step::Lose(by)) {
        world.row = row;
    }
}

/// Records a synced reply, by the plain way or as evidence.
fn prove(world: &mut World, by: Holder, mutant: Mutant) {
    if let Some(row) = accept(&world.row, by, mutant) {
        world.row = row;
    } else if world.row.generation == by.generation
        && let Some(row) = apply(&world.row, Step::Settle(Settlement::Proven))
    {
        world.row = row;
    }
}

fn crash(world: &World, w: usize, next: &mut Vec<World>) {
    if world.crashes < CRASHES {
        let mut after = world.clone();
        after.crashes += 1;
        if matches!(after.phase[w], Phase::Dotted(_) | Phase::Replied(_)) {
            after.unsynced += 1;
        }
        after.phase[w] = Phase::Down;
        next.push(after);
    }
}

/// The journal is replayed before anything is claimed, and then begins anew.
fn restart(world: &World, w: usize, mutant: Mutant) -> World {
    let mut after = world.clone();
    after.phase[w] = Phase::Idle;
    after.expired[w] = false;
    let (begun, synced) = (after.begun[w].take(), after.synced[w].take());
    let id = w as i64;
    if after.row.worker != Some(id) {
        return after;
    }
    let generation = after.row.generation;
    if synced == Some(generation) {
        prove(&mut after, Holder { worker: id, generation }, mutant);
    }
    if after.row.worker == Some(id) && begun != Some(generation) {
        let never = match (mutant, after.row.state) {
            (Mutant::UnknownNeverWritten, State::Unknown) => {
                apply(&after.row, Step::Settle(Settlement::Resend))
            }
            _ => apply(&after.row, Step::NeverWritten),
        };
        if let Some(row) = never {
            after.denied = after.dotted;
            after.row = row;
        }
    }
    if let Some(row) = reap(&after.row, mutant) {
        after.row = row;
    }
    after
}

/// A lease runs out; the reaper looks. A mail that is on the wire is reaped only
/// after its longest deadline, when its worker has either its reply or none.
fn expire(world: &World, w: usize, mutant: Mutant, next: &mut Vec<World>) {
    let waiting =
        matches!(world.phase[w], Phase::Dotted(_) | Phase::Replied(_) | Phase::Journaled(_));
    let mut after = world.clone();
    after.expired[w] = true;
    let held = world.row.worker == Some(w as i64);
    let early = waiting && world.row.state == State::Sending;
    if held
        && !early
        && let Some(row) = reap(&after.row, mutant)
    {
        after.row = row;
    }
    next.push(after);
}

/// After a quarter of an hour without evidence the policy decides. By then every
/// worker that lives has its reply, and the journal of one that came back was read.
fn settle(world: &World, next: &mut Vec<World>) {
    let generation = Some(world.row.generation);
    let evidence = (0..2).any(|w| {
        world.synced[w] == generation && world.row.worker == Some(w as i64)
            || matches!(world.phase[w], Phase::Dotted(g) | Phase::Replied(g) if Some(g) == generation)
    });
    if !evidence && let Some(row) = apply(&world.row, Step::Settle(Settlement::Resend)) {
        let mut after = world.clone();
        after.row = row;
        next.push(after);
    }
}

fn wrong(world: &World) -> Option<&'static str> {
    if world.row.state == State::Accepted && world.received == 0 {
        return Some("recorded as accepted and never received");
    }
    if world.received > 1 + world.unsynced {
        return Some("more copies than the bound");
    }
    if world.denied {
        return Some("taken as never written, and it was");
    }
    None
}

/// A history is over when the ledger says so, or the model's claims are used up.
fn is_over(world: &World) -> bool {
    matches!(world.row.state, State::Accepted | State::Failed)
        || world.row.generation >= GENERATIONS
}

fn walk(mutant: Mutant) -> Result<usize, String> {
    let start = World {
        row: Row::queued(),
        phase: [Phase::Idle; 2],
        begun: [None; 2],
        synced: [None; 2],
        expired: [false; 2],
        received: 0,
        unsynced: 0,
        crashes: 0,
        dotted: false,
        denied: false,
    };
    let mut came_from: HashMap<World, Vec<World>> = HashMap::new();
    let mut seen = HashSet::from([start.clone()]);
    let mut open = VecDeque::from([start]);
    while let Some(world) = open.pop_front() {
        if let Some(why) = wrong(&world) {
            return Err(format!("{why}: {world:?}"));
        }
        for after in successors(&world, mutant) {
            came_from.entry(after.clone()).or_default().push(world.clone());
            if seen.insert(after.clone()) {
                open.push_back(after);
            }
        }
    }
    // Nobody is lost: from everywhere there is a way to an end.
    let mut good: HashSet<World> = seen.iter().filter(|world| is_over(world)).cloned().collect();
    let mut open: Vec<World> = good.iter().cloned().collect();
    while let Some(world) = open.pop() {
        for before in came_from.get(&world).into_iter().flatten() {
            if good.insert(before.clone()) {
                open.push(before.clone());
            }
        }
    }
    match seen.iter().find(|world| !good.contains(*world)) {
        Some(stuck) => Err(format!("no way out: {stuck:?}")),
        None => Ok(seen.len()),
    }
}

#[test]
fn no_interleaving_loses_or_doubles_beyond_the_bound() {
    let states = walk(Mutant::None).unwrap();
    assert!(states > 10_000, "only {states} states were walked");
}

#[test]
fn sending_straight_back_to_the_queue_is_caught() {
    let found = walk(Mutant::SendingStraightBack).unwrap_err();
    assert!(found.starts_with("more copies"), "{found}");
}

#[test]
fn sending_without_a_durable_mark_is_caught() {
    let found = walk(Mutant::NoDurableMark).unwrap_err();
    assert!(found.starts_with("more copies"), "{found}");
}

#[test]
fn trusting_a_journal_that_forgets_the_unknown_is_caught() {
    let found = walk(Mutant::UnknownNeverWritten).unwrap_err();
    assert!(found.starts_with("taken as never written"), "{found}");
}
