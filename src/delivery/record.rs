//! How a record of the journal lies on the disk: length, epoch, what is known, and a
//! checksum, so that a torn one, or one of an older epoch, is told from a whole one.

use super::journal::{Note, Record};

/// Bytes of a record without its words: length, epoch, kind, numbers, checksum.
const HEAD_BYTES: usize = 2 + 8 + 1 + 8 + 8 + 8 + 2;
const SUM_BYTES: usize = 4;
/// The most words a record keeps, in bytes.
const WORDS_BYTES: usize = 1024;

/// Puts a record behind what is there.
pub(super) fn encode(record: &Record, epoch: u64, out: &mut Vec<u8>) {
    let (kind, code, words) = match &record.note {
        Note::Begun => (1, 0, ""),
        Note::Replied { code, words } => (2, *code, words.as_str()),
    };
    let words = &words.as_bytes()[..words.len().min(WORDS_BYTES)];
    let start = out.len();
    let length = HEAD_BYTES + words.len() + SUM_BYTES;
    out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(&epoch.to_le_bytes());
    out.push(kind);
    out.extend_from_slice(&record.delivery.to_le_bytes());
    out.extend_from_slice(&record.generation.to_le_bytes());
    out.extend_from_slice(&record.at.to_le_bytes());
    out.extend_from_slice(&u16::to_le_bytes(code));
    out.extend_from_slice(words);
    let sum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&sum.to_le_bytes());
}

/// All whole records of this epoch from the start, and where they end; a torn
/// record, or one of an older epoch, is the end.
pub(super) fn scan(half: &[u8], epoch: u64) -> (Vec<Record>, u64) {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some((record, length)) = decode(&half[at..], epoch) {
        records.push(record);
        at += length;
    }
    (records, at as u64)
}

fn decode(bytes: &[u8], epoch: u64) -> Option<(Record, usize)> {
    let (length, _) = bytes.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_le_bytes(*length));
    if length < HEAD_BYTES + SUM_BYTES {
        return None;
    }
    let (body, sum) = bytes.get(..length)?.split_last_chunk::<SUM_BYTES>()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return None;
    }
    let number = |at: usize| -> Option<[u8; 8]> { body.get(at..at + 8)?.try_into().ok() };
    if u64::from_le_bytes(number(2)?) != epoch {
        return None;
    }
    let note = match body[10] {
        1 => Note::Begun,
        2 => Note::Replied {
            code: u16::from_le_bytes([body[35], body[36]]),
            words: String::from_utf8_lossy(&body[HEAD_BYTES..]).into_owned(),
        },
        _ => return None,
    };
    let record = Record {
        delivery: i64::from_le_bytes(number(11)?),
        generation: i64::from_le_bytes(number(19)?),
        at: i64::from_le_bytes(number(27)?),
        note,
    };
    Some((record, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn replied(delivery: i64, words: &str) -> Record {
        let note = Note::Replied { code: 250, words: words.to_owned() };
        Record { delivery, generation: 7, at: 1_700_000_000_000, note }
    }

    #[test]
    fn a_torn_tail_is_recognised_wherever_it_is_torn() {
        let mut whole = Vec::new();
        encode(&replied(1, "first"), 5, &mut whole);
        let first = whole.len();
        encode(&replied(2, "second"), 5, &mut whole);
        for cut in first..whole.len() {
            let mut torn = whole[..cut].to_vec();
            torn.resize(whole.len() + 100, 0);
            let (records, used) = scan(&torn, 5);
            assert_eq!(records, [replied(1, "first")], "torn at {cut}");
            assert_eq!(used as usize, first);
        }
        assert_eq!(scan(&whole, 5).0.len(), 2);
        assert_eq!(scan(&whole, 6).0.len(), 0, "another epoch's records are old");
    }

    proptest! {
        #[test]
        fn flipped_bits_never_make_a_record(flip in 0usize..60, bit in 0u8..8) {
            let mut bytes = Vec::new();
            encode(&replied(1, "words of a relay"), 3, &mut bytes);
            let flip = flip % bytes.len();
            bytes[flip] ^= 1 << bit;
            prop_assert!(scan(&bytes, 3).0.is_empty());
        }
    }
}
