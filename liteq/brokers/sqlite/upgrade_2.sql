-- From schema 1 to 2: workflows, the history of attempts, and revoking what runs.

alter table task add column tied integer not null default 0;
alter table task add column waits text;
alter table task add column barrier integer not null default 0;
alter table task add column on_failure integer not null default 0;
alter table task add column takes integer not null default 0;
alter table task add column member_of text;
alter table task add column position integer not null default 0;
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
