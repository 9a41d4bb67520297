-- The schema of a liteq store, version 2. It is stable, and documented in docs/internals/store.md.
-- The upgrades (upgrade_N.sql) lead to it from earlier versions.
--
-- Phases are written as numbers here, because they are what is stored: 0 waiting, 1 scheduled,
-- 2 ready, 3 running, 4 succeeded, 5 failed, 6 dead, 7 cancelled, 8 expired, 9 skipped.
--
-- A task can be sent with two columns, from a shell or a trigger:
--   insert into task (task, payload) values ('project.add', '[[2, 3], {}]');

create table task (
  seq integer primary key,
  id text not null unique default (lower(hex(randomblob(16)))),
  task text not null,
  queue text not null default 'celery',
  priority integer not null default 0,           -- higher first
  phase integer not null default 2,              -- see liteq.states.Phase
  -- A fencing token, which grows with each claim. It starts anywhere, so that an old receipt does
  -- not fit a new task that was given the `seq` of a deleted one. (`autoincrement` would prevent
  -- that too, but costs one more page to write at every commit.)
  token integer not null default (abs(random()) >> 15),
  worker integer,                                -- that runs it, or ran it last
  -- Workflows, see model/graph.py. A task waits for at most one task or group, and is a member of
  -- at most one group.
  tied integer not null default 0,               -- others wait for its end, or for its group's
  waits text,                                    -- the id of a task, or with `barrier` of a group
  barrier integer not null default 0,
  on_failure integer not null default 0,         -- 1: run only if what it waits for fails;
                                                 -- 2: also if that is skipped because a group failed
  takes integer not null default 0,              -- what it waits for comes before its arguments
  member_of text,                                -- the id of a group
  position integer not null default 0,           -- in it
  delay real,                                    -- seconds to wait once it is woken
  woken_by text,                                 -- the task whose end woke it; phase 9: that failed
  lost integer not null default 0,               -- processes that died while running it
  attempts integer not null default 0,           -- earlier starts, see the table `attempt`
  revoked real,                                  -- not to be run again; until when it is kept then
  terminate integer not null default 0,          -- revoked, and its worker is to end it
  retries integer not null default 0,
  acks_late integer not null default 1,          -- 0: run at most once
  ignore_result integer not null default 0,
  track_started integer not null default 0,
  created real not null default ((julianday('now') - 2440587.5) * 86400.0),
  eta real,                                      -- seconds since the epoch, as all times here
  expires real,
  started real,
  finished real,
  keep_until real,                               -- when it may be swept, once it has ended
  serializer text not null default 'json',
  result_serializer text,
  reported text,                                 -- the state named by update_state
  options text,                                  -- a JSON object of what is rarely set
  traceback text,
  payload blob not null,                         -- (args, kwargs), encoded
  result blob
);

-- Partial indexes, so that each is as small as what it is for, and a claim costs the same with ten
-- million tasks waiting as with ten. Every condition on `phase` is evaluated whenever a task is
-- claimed or finished, so the indexes for workflows have none.
create index task_ready on task (queue, priority desc, seq) where phase = 2;
create index task_scheduled on task (eta) where phase = 1;
create index task_running on task (worker) where phase = 3;
create index task_kept on task (keep_until) where keep_until is not null;
create index task_revoked on task (revoked) where revoked is not null;
create index task_waiting on task (waits) where waits is not null;
create index task_member on task (member_of, phase) where member_of is not null;
create index task_skipped on task (woken_by) where woken_by is not null;
create index task_dead on task (seq) where phase = 6;

-- How earlier attempts ended. The last one is in the task itself, so that a task that succeeds at
-- once, as nearly all do, needs no row here.
create table attempt (
  task integer not null,                         -- its seq
  number integer not null,                       -- from 1
  started real,
  ended real not null,
  worker integer,
  outcome text not null,                         -- retry, lost, requeued
  error text,
  primary key (task, number)
) without rowid;

create trigger task_forgotten after delete on task when old.attempts > 0
begin
  delete from attempt where task = old.seq;
end;

create table task_group (
  id text primary key,
  outer_group text,                              -- the group that it is a member of itself
  position integer not null default 0,
  forgiving integer not null default 0,          -- 1: what waits for it runs even if members fail
  blame text,                                    -- a member that failed
  closed real,                                   -- when its last member ended
  released integer not null default 0            -- 1: the results of its members are not needed
                                                 -- any more
) without rowid;
create index group_member on task_group (outer_group) where outer_group is not null;

-- Periodic tasks.
create table schedule (
  name text primary key,
  schedule text not null,                        -- JSON: {"every": 30}, {"crontab": "0 7 * * *"}, …
  moment real,                                   -- the next moment of it; null: never again
  due real,                                      -- when it fires, with jitter; null: paused
  planned real not null,                         -- when these two were decided
  version integer not null,                      -- different after each change
  app text,                                      -- that defines it; null: it was added at run time
  paused integer not null default 0,
  runs integer not null default 0,
  last real,                                     -- the moment that it fired for last
  last_id text,                                  -- the id of that task
  misfire text not null default 'once',          -- once, skip, all
  grace real,                                    -- seconds late that a run may begin; null: any
  overlap integer not null default 1,            -- 0: not while its last task has not ended
  jitter real not null default 0,                -- seconds
  expires_after real,                            -- seconds
  task text not null,                            -- from here on, what is sent; as in `task`
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

create table worker (
  id integer primary key autoincrement,
  name text not null,
  owner text not null,                           -- the process, see owners.py
  pid integer not null,
  host text not null,
  started real not null,
  beat real not null,
  stopped real,
  info text not null default '{}'
);

-- Listeners. One without a worker waits for results.
create table bell (
  address text primary key,
  worker integer,
  owner text not null
) without rowid;
