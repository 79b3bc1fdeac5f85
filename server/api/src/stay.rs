//! For how long a caller may stay: a stream ends when the token it began with no longer works, or its owner became less than they were.

use std::{sync::Arc, time::Duration};

use sprout_app::App;
use sprout_domain::{
    Error, Reason, Secret,
    user::{Principal, Role},
};
use tokio::time::timeout;
use tonic::Status;

use crate::{auth::Caller, status::status};

/// That a token expired nobody says; so it is looked now and then.
const LOOK: Duration = Duration::from_secs(30);
/// Changes of users that come together cost one look.
const TOGETHER: Duration = Duration::from_millis(50);

tokio::task_local! {
    static STAY: Option<Stay>;
}

/// Someone who calls.
#[derive(Clone)]
pub(crate) struct Stay {
    app: Arc<App>,
    token: Secret,
    /// The role in which they called; none: a worker.
    role: Option<Role>,
}

/// Does what a call asks for; streams that it begins [know](Stay::of_this_call) who called.
pub(crate) async fn staying<T>(stay: Option<Stay>, call: impl Future<Output = T>) -> T {
    STAY.scope(stay, call).await
}

impl Stay {
    pub(crate) fn new(app: &Arc<App>, caller: &Caller) -> Self {
        Self { app: app.clone(), token: caller.token.clone(), role: role(&caller.principal) }
    }

    /// Waits until whoever made the present call may not go on; returns why.
    pub(crate) fn of_this_call() -> impl Future<Output = Status> + Send + 'static {
        let stay = STAY.try_with(Clone::clone).ok().flatten();
        async move {
            match stay {
                Some(stay) => status(stay.end().await),
                None => std::future::pending().await,
            }
        }
    }

    async fn end(self) -> Error {
        let mut changed = self.app.users_changed();
        loop {
            match self.app.authenticate(&self.token).await {
                Ok(known) if role(&known.principal) >= self.role => {}
                Ok(_) => return Error::new(Reason::NotAllowed, "your role was changed; call again"),
                // That the database is away says nothing of the caller.
                Err(error) if error.reason == Reason::NotSignedIn => return error,
                Err(_) => {}
            }
            // A closed sender would mean that the server ends.
            if let Ok(Ok(())) = timeout(LOOK, changed.changed()).await {
                tokio::time::sleep(TOGETHER.mul_f64(fastrand::f64())).await;
                changed.mark_unchanged();
            }
        }
    }
}

fn role(principal: &Principal) -> Option<Role> {
    match principal {
        Principal::User(user) => Some(user.role),
        Principal::Worker(_) => None,
    }
}
