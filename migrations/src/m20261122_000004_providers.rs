//! Providers as last configured, what staff switched, and what was found by checking and using them. How to reach them is never stored.

crate::change::change! {
    up: [
        "create table providers (
             key text primary key not null,
             name text not null,
             driver text not null,
             working boolean not null,
             disabled boolean not null,
             status text not null,
             checked_at {time},
             provisioning_limit bigint not null,
             appliance_limit bigint,
             appliance_memory_mib bigint not null default 0,
             appliance_cpus bigint not null default 0,
             switched_off boolean not null default false,
             hidden boolean not null default false,
             circuit text not null default 'closed' check (circuit in ('closed', 'open', 'half_open')),
             circuit_failures bigint not null default 0,
             circuit_openings bigint not null default 0,
             circuit_reason text not null default '',
             circuit_next_try_at {time},
             memory_total_mib bigint,
             memory_limit_mib bigint,
             cpu_total bigint,
             cpu_limit bigint,
             refreshed_at {time},
             capabilities text not null default ''
         )",
    ],
    down: ["drop table providers"],
}
