//! Templates made from appliances.

use sprout_worker::driver::{Needs, PowerState, Reason};

use crate::{
    Case,
    target::{Target, assert_reason},
};

pub(super) fn cases() -> Vec<Case> {
    crate::case_list![template_from_appliance, template_in_use]
}

async fn template_from_appliance(target: &Target) {
    let driver = target.driver();
    let source = target.ready("source").await;
    let template = target.invent_template("made");
    match driver.capabilities().make_template {
        None => {
            assert_reason(driver.make_template(&source.name, &template).await, Reason::Unsupported);
            return;
        }
        Some(Needs::Any) => {}
        Some(Needs::Off) => {
            assert_reason(driver.make_template(&source.name, &template).await, Reason::Invalid);
            driver.stop(&source.name).await.expect("stop");
        }
    }
    driver.make_template(&source.name, &template).await.expect("make a template");
    assert!(driver.templates().await.expect("templates").contains(&template));
    assert_reason(driver.make_template(&source.name, &template).await, Reason::NameTaken);
    assert_eq!(target.see(&source.name).await.tags, Some(source.tags.clone()), "the source stays");

    let copy = target.invent("copy");
    let mut spec = target.spec(&copy);
    spec.template.clone_from(&template);
    driver.create(&spec).await.expect("clone");
    assert_eq!(target.see(&copy.name).await.tags.as_ref(), Some(&copy.tags), "its own marks, not the source's");
    driver.start(&copy.name).await.expect("start");
    target.until_answers(&copy.name).await;
    driver.start(&source.name).await.expect("start the source");
    target.until_answers(&source.name).await;

    driver.delete(&copy.name, &copy.tags).await.expect("delete");
    for _ in 0..2 {
        driver.delete_template(&template).await.expect("delete the template");
        assert!(!driver.templates().await.expect("templates").contains(&template));
    }
    assert_reason(driver.create(&spec).await, Reason::TemplateNotFound);
}

/// Whether it may be deleted is the provider's business; that its appliances go on is ours.
async fn template_in_use(target: &Target) {
    let driver = target.driver();
    if driver.capabilities().make_template.is_none() {
        return; // asserted in template_from_appliance
    }
    let source = target.cloned("source").await;
    let template = target.invent_template("used");
    driver.make_template(&source.name, &template).await.expect("make a template");
    // As a prepared one, which outlives the appliance that became it.
    driver.delete(&source.name, &source.tags).await.expect("delete the source");
    assert!(driver.templates().await.expect("templates").contains(&template));
    let user = target.invent("user");
    let mut spec = target.spec(&user);
    spec.template.clone_from(&template);
    driver.create(&spec).await.expect("clone");

    let deleted = driver.delete_template(&template).await;
    assert_eq!(target.power(&user.name).await, PowerState::Off, "still there");
    driver.start(&user.name).await.expect("start");
    target.until_answers(&user.name).await;
    driver.delete(&user.name, &user.tags).await.expect("delete");
    if let Err(error) = deleted {
        assert!(error.message.contains(&template), "{error}");
        driver.delete_template(&template).await.expect("delete the template once it is free");
    }
    assert!(!driver.templates().await.expect("templates").contains(&template));
}
