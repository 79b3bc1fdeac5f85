//! Usage: seconds for which appliances were leased, summed by day, user, user group, group and provider; kept when those are gone.

crate::change::change! {
    up: [
        "create table usage_days (
             day date not null,
             user_name text not null,
             user_group text not null,
             group_name text not null,
             provider text not null,
             seconds bigint not null,
             primary key (day, user_name, user_group, group_name, provider)
         )",
    ],
    down: ["drop table usage_days"],
}
