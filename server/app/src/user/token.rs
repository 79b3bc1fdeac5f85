//! Named tokens: made, listed and revoked by their owners.

use std::time::Duration;

use sprout_domain::{
    Error, Reason, Result, Secret, TokenId, UserId,
    event::{EventKind, NewEvent},
    lease,
    token::{self, LOGIN, Token, TokenScope},
    user::{Role, User},
};

use super::{hash_token, new_token};
use crate::{
    App,
    ports::{NewToken, TokenOwner, TokensToDelete},
    user_group::no_user,
    work::{Work, repeated},
};

impl App {
    /// Makes a named token for the caller, who calls with a token of scope `own`; returns what proves it, shown only here.
    pub async fn create_token(
        &self,
        caller: &User,
        own: TokenScope,
        name: &str,
        scope: TokenScope,
        lifetime: Option<Duration>,
    ) -> Result<(Secret, Token)> {
        token::check_name(name)?;
        let lifetime = token::lifetime(lifetime)?;
        if scope > own {
            let message = format!("the token used is for {}, and can make none for {}", own.as_str(), scope.as_str());
            return Err(Error::new(Reason::ScopeTooNarrow, message));
        }
        let secret = new_token("spr_")?;
        repeated(|| async {
            let mut work = self.work().await?;
            // Locked, so that of two tokens of one name the second is refused.
            let (owner, _) = work.tx.lock_user(&caller.name).await?.ok_or_else(|| no_user(&caller.name))?;
            work.tx.delete_tokens(owner.id, &TokensToDelete::Expired).await?;
            if work.tx.tokens(owner.id).await?.iter().any(|token| token.name == name) {
                let message = format!("you have a token {name} already; revoke it, or choose another name");
                return Err(Error::new(Reason::TokenExists, message).with("name", name));
            }
            let expires_at = Some(lease::end(work.tx.now(), lifetime));
            let (hash, owner) = (hash_token(&secret), TokenOwner::User(owner.id));
            let made = work.tx.insert_token(NewToken { hash, owner, name: name.to_owned(), scope, expires_at }).await?;
            work.commit().await?;
            Ok((secret.clone(), made))
        })
        .await
    }

    /// The tokens of a user that still work, newest first: the caller's; for superusers, anyone's. Returns the owner's name, too.
    pub async fn tokens(&self, caller: &User, name: Option<&str>) -> Result<(String, Vec<Token>)> {
        let name = name.unwrap_or(&caller.name);
        if name != caller.name && caller.role < Role::Staff {
            return Err(no_user(name));
        }
        if name != caller.name && caller.role < Role::Superuser {
            return Err(Error::new(Reason::NotAllowed, "only superusers see the tokens of others; ask one of them"));
        }
        let mut tx = self.ports.store.read().await?;
        let (owner, _) = tx.user_by_name(name).await?.ok_or_else(|| no_user(name))?;
        Ok((owner.name, tx.tokens(owner.id).await?))
    }

    /// Makes a token invalid: one of the caller's; for superusers, anyone's.
    pub async fn revoke_token(&self, caller: &User, id: TokenId) -> Result<()> {
        repeated(|| async {
            let mut work = self.work().await?;
            let found = work.tx.token_owner(id).await?;
            let mine = |owner: UserId| owner == caller.id || caller.role >= Role::Superuser;
            let (owner, name) = found.filter(|(owner, _)| mine(owner.id)).ok_or_else(|| {
                Error::new(Reason::TokenNotFound, format!("you have no token {id}; see `sproutctl token list`"))
            })?;
            work.tx.delete_token_by_id(id).await?;
            tell_revoked(&mut work, caller, format!("{} revoked token {name} of {}", caller.name, owner.name));
            self.commit_users(work).await
        })
        .await
    }

    /// Makes all tokens of the caller invalid that were made by signing in; returns how many.
    pub async fn logout_everywhere(&self, caller: &User) -> Result<u64> {
        repeated(|| async {
            let mut work = self.work().await?;
            let count = work.tx.delete_tokens(caller.id, &TokensToDelete::Named(LOGIN)).await?;
            tell_revoked(&mut work, caller, format!("{} signed out everywhere", caller.name));
            self.commit_users(work).await?;
            Ok(count)
        })
        .await
    }
}

fn tell_revoked(work: &mut Work, caller: &User, message: String) {
    work.emit(NewEvent { user: Some(caller.name.clone()), ..NewEvent::new(EventKind::TokenRevoked, message) });
}
