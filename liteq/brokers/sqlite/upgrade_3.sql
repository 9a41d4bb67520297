-- From schema 2 to 3: all names begin with `liteq_`, so that the tables can stand beside those of
-- an application.

-- `liteq move` made this one only where it was needed.
create table if not exists arrival (
  id text not null,
  created real,
  arrived real not null,
  primary key (id, created)
);

-- First, because `rename` would write the new names into it. (Those of a user are rewritten so: a
-- trigger that sends tasks goes on doing it.)
drop trigger task_forgotten;

alter table task rename to liteq_task;
alter table attempt rename to liteq_attempt;
alter table task_group rename to liteq_group;
alter table schedule rename to liteq_schedule;
alter table worker rename to liteq_worker;
alter table bell rename to liteq_listener;
alter table arrival rename to liteq_arrival;

-- Until when to keep them was written here, and now it is for how long, once they have ended.
update liteq_task set revoked = max(revoked - strftime('%s', 'now'), 0.0)
where revoked is not null;

-- An index cannot be renamed.
drop index task_ready;
drop index task_scheduled;
drop index task_running;
drop index task_kept;
drop index task_revoked;
drop index task_waiting;
drop index task_member;
drop index task_skipped;
drop index task_dead;
drop index group_member;
drop index schedule_due;
create index liteq_task_ready on liteq_task (queue, priority desc, seq) where phase = 2;
create index liteq_task_scheduled on liteq_task (eta) where phase = 1;
create index liteq_task_running on liteq_task (worker) where phase = 3;
create index liteq_task_kept on liteq_task (keep_until) where keep_until is not null;
create index liteq_task_revoked on liteq_task (revoked) where revoked is not null;
create index liteq_task_waiting on liteq_task (waits) where waits is not null;
create index liteq_task_member on liteq_task (member_of, phase) where member_of is not null;
create index liteq_task_skipped on liteq_task (woken_by) where woken_by is not null;
create index liteq_task_dead on liteq_task (seq) where phase = 6;
create index liteq_group_member on liteq_group (outer_group) where outer_group is not null;
create index liteq_schedule_due on liteq_schedule (due) where due is not null;

-- See schema.sql for what these are for.
alter table liteq_group add column options text;
alter table liteq_task add column details integer not null default 0;

create table liteq_step (
  task integer not null,
  name text not null,
  kind text not null default 'step',
  at real not null,
  until real,
  value blob,
  serializer text,
  failed integer not null default 0,
  primary key (task, name)
) without rowid;

create table liteq_progress (
  task integer primary key,
  attempt integer not null,
  at real not null,
  value text not null
);

create table liteq_output (
  task integer not null,
  attempt integer not null,
  last integer not null,
  keep_from integer not null,
  lines text not null,
  primary key (task, attempt, last)
) without rowid;

create table liteq_limit_use (
  task integer not null,
  key text not null,
  priority integer not null,
  waits integer not null default 0,
  primary key (task, key)
) without rowid;
create index liteq_limit_used on liteq_limit_use (key, waits, priority desc, task);

create table liteq_event_wait (
  task integer not null,
  key text not null,
  primary key (task, key)
) without rowid;
create index liteq_event_awaited on liteq_event_wait (key);

create table liteq_unique (
  key text primary key,
  task text not null,
  until text not null,
  keep_until real
) without rowid;

create table liteq_limit (
  key text primary key,
  running integer,
  rate real,
  burst integer,
  free real,
  held real
) without rowid;

create table liteq_event (
  key text primary key,
  value blob not null,
  serializer text not null,
  at real not null,
  keep_until real,
  id text not null
) without rowid;
create index liteq_event_kept on liteq_event (keep_until) where keep_until is not null;

create table liteq_queue (
  name text primary key,
  paused real,
  schedules text
) without rowid;

create table liteq_stat (
  seconds integer not null,
  start integer not null,
  queue text not null,
  task text not null,
  outcome text not null,
  number integer not null,
  waited real not null,
  ran real not null,
  waits text not null,
  runs text not null,
  primary key (seconds, start, queue, task, outcome)
) without rowid;

create table liteq_order (
  call text not null default (lower(hex(randomblob(16)))),
  worker integer not null,
  name text not null,
  arguments text not null default '{}',
  sent real not null default ((julianday('now') - 2440587.5) * 86400.0),
  expires real not null default ((julianday('now') - 2440587.5) * 86400.0 + 60),
  answered real,
  answer text,
  primary key (call, worker)
) without rowid;
create index liteq_order_open on liteq_order (worker) where answered is null;

create trigger liteq_task_forgotten after delete on liteq_task
when old.attempts > 0 or old.details
begin
  delete from liteq_attempt where task = old.seq;
  delete from liteq_step where task = old.seq;
  delete from liteq_progress where task = old.seq;
  delete from liteq_output where task = old.seq;
  delete from liteq_limit_use where task = old.seq;
  delete from liteq_event_wait where task = old.seq;
end;

create table liteq_meta (
  name text primary key,
  value
) without rowid;

create view liteq_schema_3 as select 3 as version;

-- Before, this was told by an ending of the application's name.
alter table liteq_schedule add column undeclared integer not null default 0;
update liteq_schedule set undeclared = 1, app = replace(app, ' (no longer in its code)', '')
where app like '% (no longer in its code)';
