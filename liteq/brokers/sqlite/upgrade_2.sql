-- From schema 1 to 2: workflows, the history of attempts, revoking running tasks, and schedules.
-- The phases are numbers, as they were stored then; see schema.sql.

alter table task add column tied integer not null default 0;
alter table task add column waits text;
alter table task add column barrier integer not null default 0;
alter table task add column on_failure integer not null default 0;
alter table task add column takes integer not null default 0;
alter table task add column member_of text;
alter table task add column position integer not null default 0;
alter table task add column delay real;
alter table task add column woken_by text;
alter table task add column attempts integer not null default 0;
alter table task add column revoked real;
alter table task add column terminate integer not null default 0;

create index task_revoked on task (revoked) where revoked is not null;
create index task_waiting on task (waits) where waits is not null;
create index task_member on task (member_of, phase) where member_of is not null;
create index task_skipped on task (woken_by) where woken_by is not null;
create index task_dead on task (seq) where phase = 6;

create table attempt (
  task integer not null,
  number integer not null,
  started real,
  ended real not null,
  worker integer,
  outcome text not null,
  error text,
  primary key (task, number)
) without rowid;

create trigger task_forgotten after delete on task when old.attempts > 0
begin
  delete from attempt where task = old.seq;
end;

create table task_group (
  id text primary key,
  outer_group text,
  position integer not null default 0,
  forgiving integer not null default 0,
  blame text,
  closed real,
  released integer not null default 0
) without rowid;
create index group_member on task_group (outer_group) where outer_group is not null;

create table schedule (
  name text primary key,
  schedule text not null,
  moment real,
  due real,
  planned real not null,
  version integer not null,
  app text,
  paused integer not null default 0,
  runs integer not null default 0,
  last real,
  last_id text,
  misfire text not null default 'once',
  grace real,
  overlap integer not null default 1,
  jitter real not null default 0,
  expires_after real,
  task text not null,
  payload blob not null,
  serializer text not null,
  queue text not null,
  priority integer not null default 0,
  expires real,
  acks_late integer not null default 1,
  ignore_result integer not null default 0,
  track_started integer not null default 0,
  options text
);
create index schedule_due on schedule (due) where due is not null;
