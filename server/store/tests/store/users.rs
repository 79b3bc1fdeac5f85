//! Users and tokens: unique names, tokens that stop working when they expire.

use std::time::Duration;

use sprout_app::ports::{NewToken, Store as _, TokenOwner};
use sprout_domain::{
    Reason, lease,
    token::TokenScope,
    user::{Principal, Role},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

on_each_database!(names_are_unique, tokens_expire, tokens_of_workers);

async fn names_are_unique(db: TestDatabase) -> anyhow::Result<()> {
    let store = db.store();
    let mut tx = store.write().await?;
    let user = tx.insert_user("ann", "hash", Role::Staff).await?;
    assert_eq!(tx.insert_user("ann", "other", Role::User).await.unwrap_err().reason, Reason::UserExists);
    // The refusal spoils nothing of the transaction.
    tx.insert_user("bob", "other", Role::User).await?;
    tx.commit().await?;

    let mut tx = store.read().await?;
    assert_eq!(tx.user_by_name("ann").await?, Some((user, "hash".to_owned())));
    assert!(tx.user_by_name("bob").await?.is_some());
    assert_eq!(tx.user_by_name("Ann").await?, None);
    Ok(())
}

async fn tokens_expire(db: TestDatabase) -> anyhow::Result<()> {
    let store = db.store();
    let mut tx = store.write().await?;
    let user = tx.insert_user("ann", "hash", Role::User).await?;
    let owner = TokenOwner::User(user.id);
    let soon = lease::end(tx.now(), Duration::from_millis(300));
    let token = |hash: &str, expires_at| NewToken {
        hash: hash.to_owned(),
        owner: owner.clone(),
        name: hash.to_owned(),
        scope: TokenScope::Use,
        expires_at,
    };
    tx.insert_token(token("ever", None)).await?;
    tx.insert_token(token("soon", Some(soon))).await?;
    tx.insert_token(token("past", Some(tx.now()))).await?;
    tx.commit().await?;

    let mut tx = store.read().await?;
    let found = tx.token("soon").await?.unwrap();
    assert_eq!((found.principal, found.token.expires_at), (Principal::User(user), Some(soon)));
    assert!(tx.token("ever").await?.is_some());
    assert_eq!(tx.token("past").await?, None);
    assert_eq!(tx.token("none").await?, None);
    drop(tx);

    // Waits for the database's clock, not for ours.
    loop {
        let mut tx = store.read().await?;
        if tx.now() >= soon {
            assert_eq!(tx.token("soon").await?, None);
            break;
        }
        assert!(tx.token("soon").await?.is_some());
    }

    let mut tx = store.write().await?;
    tx.delete_token("ever").await?;
    tx.delete_token("ever").await?;
    assert_eq!(tx.token("ever").await?, None);
    Ok(())
}

async fn tokens_of_workers(db: TestDatabase) -> anyhow::Result<()> {
    let store = db.store();
    let mut tx = store.write().await?;
    tx.insert_token(NewToken::of_worker("h".to_owned(), &"w1".into())).await?;
    assert_eq!(tx.token("h").await?.unwrap().principal, Principal::Worker("w1".into()));
    Ok(())
}
