//! `sproutctl shepherd set`

use std::time::Duration;

use sprout_client::{
    Connection,
    proto::shepherd::{ListShepherdsRequest, SetShepherdRequest},
    retry,
};

use crate::{
    args::shepherd::SetAndWait,
    commands::wait::{Bound, look},
    context::Context,
    failure::Failure,
    output::{progress::Progress, shepherd::ShepherdView},
};

pub(crate) async fn run(context: &Context<'_>, args: SetAndWait) -> Result<(), Failure> {
    let connection = context.connect()?;
    let request = SetShepherdRequest { shepherd: Some(args.set.into()) };
    // Setting the same again changes nothing, so a lost answer is no trouble.
    let answer = retry(async || {
        connection.shepherds().set_shepherd(request.clone()).await.map_err(|status| connection.explain(status))
    })
    .await?;
    let mut shepherd = ShepherdView::from(answer.into_inner().shepherd.ok_or(Failure::Incomplete("shepherd"))?);
    context.out.note(&shepherd.outcome());
    if args.wait && !shepherd.is_satisfied() {
        shepherd = satisfied(context, &connection, &shepherd, args.timeout).await?;
    }
    context.out.card(&shepherd)
}

/// Waits until as many are warm as are wanted.
async fn satisfied(
    context: &Context<'_>,
    connection: &Connection,
    set: &ShepherdView,
    timeout: Option<Duration>,
) -> Result<ShepherdView, Failure> {
    let request =
        ListShepherdsRequest { group: Some(set.group().to_owned()), user_group: set.user_group().map(str::to_owned) };
    let mut progress = Progress::new(context.out, false);
    let mut said = String::new();
    let bound = Bound {
        timeout,
        late: format!("not all of {} are warm yet", set.group()),
        hint: "it goes on: `sproutctl shepherd list` shows how far it is, and what is in the way".to_owned(),
    };
    let until = look(&mut progress, async |progress| {
        let answer = connection.shepherds().list_shepherds(request.clone()).await;
        let all = answer.map_err(|status| connection.explain(status))?.into_inner().shepherds;
        let Some(now) = all.into_iter().map(ShepherdView::from).find(|now| now.user_group() == set.user_group()) else {
            return Ok(Some(None));
        };
        let line = now.line();
        if line != said {
            progress.note(&line);
            said = line;
        }
        Ok(now.is_satisfied().then_some(Some(now)))
    });
    bound.on(until).await?.ok_or_else(|| Failure::Outcome {
        message: format!("somebody else set meanwhile that of {} nothing is kept warm", set.group()),
        hint: "`sproutctl audit list --method SetShepherd` shows who".to_owned(),
    })
}
