//! The session check: a token outlives a sign-out, a ban and a deletion; asking the database ends
//! it within seconds. Off unless configured.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use quick_cache::sync::{Cache, EntryAction, EntryResult};
use tokio::{sync::OnceCell, time::Instant};
use uuid::Uuid;

use crate::error::{Error, Reason};

use super::{Caller, Clock};

/// How many sessions are remembered, each for the set time; one more costs another look-up.
const REMEMBERED: usize = 65_536;

/// A session as a token claims it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// `session_id`.
    pub id: Uuid,
    /// `sub`: the user whom the session must belong to.
    pub user: Uuid,
}

/// What a look-up finds out about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It exists, belongs to the user and is not past its end; the user is neither banned nor
    /// deleted.
    Active,
    /// Signed out, past its end, another user's, or the user is deleted.
    Ended,
    /// The user is banned.
    Banned,
}

type LookUp = dyn Fn(Session) -> BoxFuture<'static, Result<Standing, Error>> + Send + Sync;

/// Whether and how sessions are checked. There is no check without a look-up, and no way to be
/// without a check but to say so.
#[derive(Clone)]
pub struct Sessions(Option<Arc<Check>>);

struct Check {
    ttl: Duration,
    clock: Clock,
    look_up: Box<LookUp>,
    answers: Cache<Session, Arc<Answer>>,
}

/// One look-up, shared by all who ask while it is on its way and until it is too old.
struct Answer {
    asked: Instant,
    standing: OnceCell<Result<Standing, Reason>>,
}

impl Sessions {
    /// Trusts tokens until they expire.
    pub fn unchecked() -> Self {
        Self(None)
    }

    /// Asks `look_up` about each session, and again when its answer is older than `ttl`.
    ///
    /// An error of the look-up refuses the call with that error; the next call asks again.
    pub fn checked<F, A>(ttl: Duration, clock: Clock, look_up: F) -> Self
    where
        F: Fn(Session) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Standing, Error>> + Send + 'static,
    {
        let look_up = Box::new(move |session| look_up(session).boxed());
        Self(Some(Arc::new(Check { ttl, clock, look_up, answers: Cache::new(REMEMBERED) })))
    }

    /// Whether calls of this caller need the check at all.
    pub(super) fn concern(&self, caller: &Caller) -> bool {
        self.0.is_some() && caller.id.is_some()
    }

    /// Refuses a caller whose session does not stand.
    pub(super) async fn check(&self, caller: &Caller) -> Result<(), Error> {
        let (Some(check), Some(user)) = (&self.0, caller.id) else {
            return Ok(());
        };
        let Some(id) = caller.session else {
            let cause = "the token has no session_id, and sessions are checked";
            return Err(Error::new(Reason::SessionEnded).because(cause));
        };
        match check.standing(Session { id, user }).await? {
            Standing::Active => Ok(()),
            Standing::Ended => Err(Reason::SessionEnded.into()),
            Standing::Banned => Err(Reason::UserBanned.into()),
        }
    }
}

impl Check {
    async fn standing(&self, session: Session) -> Result<Standing, Error> {
        let answer = self.answer(session);
        let mut own_error = None;
        let standing = answer.standing.get_or_init(|| async {
            (self.look_up)(session).await.map_err(|error| {
                let reason = error.reason();
                own_error = Some(error);
                reason
            })
        });
        let standing = *standing.await;
        if standing.is_err() {
            // Failures are not remembered.
            self.answers.remove_if(&session, |remembered| Arc::ptr_eq(remembered, &answer));
        }
        // The cause is logged by whoever asked; those who waited get the reason.
        standing.map_err(|reason| own_error.unwrap_or(reason.into()))
    }

    /// The look-up to share. Its age counts from the question, not from the answer: what happened
    /// after the question may be missing in it.
    fn answer(&self, session: Session) -> Arc<Answer> {
        let now = self.clock.instant();
        let is_fresh = |answer: &Answer| now.saturating_duration_since(answer.asked) < self.ttl;
        // Most calls find one, under a lock that they share.
        if let Some(answer) = self.answers.get(&session).filter(|it| is_fresh(it)) {
            return answer;
        }
        // Of those who find none, one puts the question and the others find that.
        let entry = self.answers.entry(&session, None, |_, answer| match is_fresh(answer) {
            true => EntryAction::Retain(Arc::clone(answer)),
            false => EntryAction::ReplaceWithGuard,
        });
        let question = Arc::new(Answer { asked: now, standing: OnceCell::new() });
        match entry {
            EntryResult::Retained(answer) => answer,
            EntryResult::Vacant(place) | EntryResult::Replaced(place, _) => {
                // Fails where the place was cleared meanwhile: then the next call asks again.
                let _ = place.insert(Arc::clone(&question));
                question
            }
            // Neither was asked for.
            EntryResult::Removed(..) | EntryResult::Timeout => question,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Mutex};

    use tokio::{sync::Barrier, task::JoinSet};

    use super::*;

    const TTL: Duration = Duration::from_secs(5);
    const CALLS: usize = 32;
    const SESSIONS: u128 = 2_000;

    /// Each session is asked about by all at once: first when it is new, then when the answer is old.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn calls_that_come_at_once_share_one_look_up() {
        let clock = Clock::standing_at(0);
        let asked = Arc::new(Mutex::new(HashMap::<Session, u32>::new()));
        let sessions = Sessions::checked(TTL, clock.clone(), {
            let asked = Arc::clone(&asked);
            move |session| {
                *asked.lock().expect("the counts").entry(session).or_default() += 1;
                async { Ok(Standing::Active) }
            }
        });
        let check = sessions.0.expect("a check");
        for round in 1..=2 {
            let barrier = Arc::new(Barrier::new(CALLS));
            let mut calls = JoinSet::new();
            for _ in 0..CALLS {
                let (check, barrier) = (Arc::clone(&check), Arc::clone(&barrier));
                calls.spawn(async move {
                    for number in 0..SESSIONS {
                        let session = Session { id: Uuid::from_u128(number), user: Uuid::nil() };
                        barrier.wait().await;
                        let standing = check.standing(session).await.expect("an answer");
                        assert_eq!(standing, Standing::Active);
                    }
                });
            }
            calls.join_all().await;
            let asked = asked.lock().expect("the counts");
            assert_eq!(asked.len() as u128, SESSIONS);
            let twice = asked.values().filter(|times| **times != round).count();
            assert_eq!(twice, 0, "sessions that were asked about more than once in round {round}");
            clock.advance(TTL);
        }
    }
}
