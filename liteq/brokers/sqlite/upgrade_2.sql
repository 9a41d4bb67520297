-- From schema 1 to 2: the history of attempts, and revoking what runs.

alter table task add column attempts integer not null default 0;
alter table task add column revoked real;
alter table task add column terminate integer not null default 0;

create index task_revoked on task (worker) where revoked is not null;
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
