//! Deliveries that a relay cannot take, time and again, while it takes others: their own
//! fault then, whatever the relay says. In memory only; pure.

use std::collections::HashMap;
use std::time::Duration;

use super::DeliveryId;
use crate::smtp::Stage;
use crate::smtp::scope::Scope;
use crate::store::value::Millis;

/// The try from which on it is the reader's.
const TRIES: u32 = 3;
/// A relay that took a mail within this time takes others.
const LATELY: Duration = Duration::from_secs(300);
/// Deliveries that are counted; beyond, all are counted anew.
const MOST: usize = 10_000;

/// How often one transport could not take which deliveries.
#[derive(Debug, Default)]
pub(super) struct Stubborn {
    /// When it last took a mail.
    took: Option<Millis>,
    tries: HashMap<DeliveryId, u32>,
}

impl Stubborn {
    /// Whose fault a delivery's outcome is: one that ends as the relay's for the third
    /// time once its recipient is named, beginning while the relay took others, is its
    /// reader's, later. An attempt is used then, so that it waits longer each time and
    /// expires as others do, instead of being tried for ever and holding up its issue.
    pub(super) fn weigh(
        &mut self,
        id: DeliveryId,
        stage: Stage,
        said: Scope,
        now: Millis,
    ) -> Scope {
        match said {
            Scope::Accepted => {
                self.took = Some(now);
                self.tries.remove(&id);
            }
            Scope::Later | Scope::Never => {
                self.tries.remove(&id);
            }
            Scope::Relay if stage >= Stage::Rcpt => {
                if let Some(tries) = self.tries.get_mut(&id) {
                    *tries += 1;
                    return if *tries >= TRIES { Scope::Later } else { said };
                }
                let lately = |took: Millis| took <= now && now < took.after(LATELY);
                if self.took.is_some_and(lately) {
                    if self.tries.len() >= MOST {
                        self.tries.clear();
                    }
                    self.tries.insert(id, 1);
                }
            }
            Scope::Relay | Scope::Issue | Scope::Unknown | Scope::Withheld => {}
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_000_000);

    #[test]
    fn the_third_time_it_is_the_readers_if_others_were_taken() {
        let (one, other) = (DeliveryId(1), DeliveryId(2));
        let mut stubborn = Stubborn::default();
        let fails =
            |stubborn: &mut Stubborn, stage| stubborn.weigh(one, stage, Scope::Relay, START);
        for _ in 0..9 {
            assert_eq!(fails(&mut stubborn, Stage::Rcpt), Scope::Relay, "it takes nobody");
        }
        stubborn.weigh(other, Stage::Dot, Scope::Accepted, START);
        for _ in 0..9 {
            assert_eq!(fails(&mut stubborn, Stage::Mail), Scope::Relay, "nobody is named yet");
        }
        let three = [Stage::Rcpt, Stage::Data, Stage::Dot].map(|at| fails(&mut stubborn, at));
        assert_eq!(three, [Scope::Relay, Scope::Relay, Scope::Later]);
        assert_eq!(fails(&mut stubborn, Stage::Rcpt), Scope::Later, "it is known by now");
        stubborn.weigh(one, Stage::Rcpt, Scope::Later, START);
        assert_eq!(fails(&mut stubborn, Stage::Rcpt), Scope::Relay);
    }

    #[test]
    fn an_outage_is_nobodys_own() {
        let mut stubborn = Stubborn::default();
        stubborn.weigh(DeliveryId(1), Stage::Dot, Scope::Accepted, START);
        let now = START.after(LATELY);
        for _ in 0..9 {
            let scope = stubborn.weigh(DeliveryId(2), Stage::Rcpt, Scope::Relay, now);
            assert_eq!(scope, Scope::Relay);
        }
    }
}
