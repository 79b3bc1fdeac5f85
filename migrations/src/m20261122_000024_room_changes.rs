//! What appliances take of each provider, kept as changes that are summed up.
//!
//! Counting appliances costs as much as there are (3 ms for 5,000), and is asked at every placement. A counter in the provider's row would be locked
//! by everyone who makes or deletes an appliance there until their transactions end, in no order. So each change is a row of its own, which
//! nobody waits for; whoever finds many of them replaces them by their sum (`server/store/src/room.rs`). Triggers write them, so that they are
//! exact whoever changes an appliance. `begun`: more than requested, which is what limits are kept by when clones are given out.

crate::change::change! {
    up: [
        "create table room_changes (
             id {id},
             provider text not null,
             begun boolean not null,
             appliances bigint not null,
             memory_mib bigint not null,
             cpus bigint not null
         )",
        "create index room_changes_of_provider on room_changes (provider)",
        "postgres: create function count_room() returns trigger language plpgsql as $$
         begin
             if tg_op <> 'INSERT' and old.state <> 'gone' then
                 insert into room_changes (provider, begun, appliances, memory_mib, cpus)
                 values (old.provider, old.state <> 'requested', -1, -old.room_memory_mib, -old.room_cpus);
             end if;
             if tg_op <> 'DELETE' and new.state <> 'gone' then
                 insert into room_changes (provider, begun, appliances, memory_mib, cpus)
                 values (new.provider, new.state <> 'requested', 1, new.room_memory_mib, new.room_cpus);
             end if;
             return null;
         end $$",
        "postgres: create trigger room_taken after insert on appliances for each row execute function count_room()",
        "postgres: create trigger room_changed after update of state, provider, room_memory_mib, room_cpus on appliances for each row
             when ((old.state = 'requested') <> (new.state = 'requested') or (old.state = 'gone') <> (new.state = 'gone')
                   or old.provider <> new.provider or old.room_memory_mib <> new.room_memory_mib or old.room_cpus <> new.room_cpus)
             execute function count_room()",
        "postgres: create trigger room_freed after delete on appliances for each row execute function count_room()",
        "sqlite: create trigger room_taken after insert on appliances when new.state <> 'gone' begin
             insert into room_changes (provider, begun, appliances, memory_mib, cpus)
             values (new.provider, new.state <> 'requested', 1, new.room_memory_mib, new.room_cpus);
         end",
        "sqlite: create trigger room_changed after update of state, provider, room_memory_mib, room_cpus on appliances
             when (old.state = 'requested') <> (new.state = 'requested') or (old.state = 'gone') <> (new.state = 'gone')
                  or old.provider <> new.provider or old.room_memory_mib <> new.room_memory_mib or old.room_cpus <> new.room_cpus
         begin
             insert into room_changes (provider, begun, appliances, memory_mib, cpus)
             select old.provider, old.state <> 'requested', -1, -old.room_memory_mib, -old.room_cpus where old.state <> 'gone';
             insert into room_changes (provider, begun, appliances, memory_mib, cpus)
             select new.provider, new.state <> 'requested', 1, new.room_memory_mib, new.room_cpus where new.state <> 'gone';
         end",
        "sqlite: create trigger room_freed after delete on appliances when old.state <> 'gone' begin
             insert into room_changes (provider, begun, appliances, memory_mib, cpus)
             values (old.provider, old.state <> 'requested', -1, -old.room_memory_mib, -old.room_cpus);
         end",
    ],
    down: [
        "postgres: drop trigger room_taken on appliances",
        "postgres: drop trigger room_changed on appliances",
        "postgres: drop trigger room_freed on appliances",
        "postgres: drop function count_room()",
        "sqlite: drop trigger room_taken",
        "sqlite: drop trigger room_changed",
        "sqlite: drop trigger room_freed",
        "drop table room_changes",
    ],
}
