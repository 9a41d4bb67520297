-- The schema of a liteq store, version 3. It is documented in docs/internals/store.md.
-- The upgrades (upgrade_N.sql) lead to it from earlier versions.
--
-- Phases are written as numbers here, because they are what is stored: 0 waiting, 1 scheduled,
-- 2 ready, 3 running, 4 succeeded, 5 failed, 6 dead, 7 cancelled, 8 expired, 9 skipped.
--
-- A task can be sent with two columns, from a shell or a trigger:
--   insert into liteq_task (task, payload) values ('project.add', '[[2, 3], {}]');

-- The version of this schema is the value of the name `schema`. (`pragma user_version` may be that
-- of an application.) Every later version keeps this table as it is.
create table liteq_meta (
  name text primary key,
  value
) without rowid;

create table liteq_task (
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
  attempts integer not null default 0,           -- earlier starts, see `liteq_attempt`
  revoked real,                                  -- not to be run again; seconds to keep it then
  terminate integer not null default 0,          -- revoked, and its worker is to end it
  details integer not null default 0,            -- 1: tables below have rows of this task, which
                                                 -- are to be deleted with it
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
--
-- What comes after workflows has neither indexes nor columns here, but tables of its own: with three
-- more indexes a send in bulk takes 7 % longer, and each column more costs a settlement 0.7 %.
create index liteq_task_ready on liteq_task (queue, priority desc, seq) where phase = 2;
create index liteq_task_scheduled on liteq_task (eta) where phase = 1;
create index liteq_task_running on liteq_task (worker) where phase = 3;
create index liteq_task_kept on liteq_task (keep_until) where keep_until is not null;
create index liteq_task_revoked on liteq_task (revoked) where revoked is not null;
create index liteq_task_waiting on liteq_task (waits) where waits is not null;
create index liteq_task_member on liteq_task (member_of, phase) where member_of is not null;
create index liteq_task_skipped on liteq_task (woken_by) where woken_by is not null;
create index liteq_task_dead on liteq_task (seq) where phase = 6;

-- How earlier attempts ended. The last one is in the task itself, so that a task that succeeds at
-- once, as nearly all do, needs no row here.
create table liteq_attempt (
  task integer not null,                         -- its seq
  number integer not null,                       -- from 1
  started real,
  ended real not null,
  worker integer,
  outcome text not null,                         -- retry, lost, requeued
  error text,
  primary key (task, number)
) without rowid;

-- What a task has done already, or waits for: `self.step(name, ...)` is not run again, but answers
-- this.
create table liteq_step (
  task integer not null,                         -- its seq
  name text not null,
  kind text not null default 'step',             -- step, sleep, wait (for the event `name`), gather
  at real not null,                              -- when it ended; until then, when it began
  until real,                                    -- sleep, wait: when it ends at the latest
  value blob,                                    -- gather, while it goes on: the results, as JSON
  serializer text,                               -- null: it has no value, or none yet
  failed integer not null default 0,             -- gather: 1, the value is an error
  primary key (task, name)
) without rowid;

-- How far the present run of a task has come.
create table liteq_progress (
  task integer primary key,                      -- its seq
  attempt integer not null,                      -- a run that was killed has come nowhere
  at real not null,
  value text not null                            -- JSON
);

-- What tasks print and log: of each attempt the last lines. A row has those that came at once.
create table liteq_output (
  task integer not null,                         -- its seq
  attempt integer not null,                      -- from 1
  last integer not null,                         -- the number of the last line in it
  keep_from integer not null,                    -- lines before this number, in earlier rows of the
                                                 -- attempt, do not count any more
  lines text not null,                           -- JSON: [[number, at, level, text], ...]; the level
                                                 -- is one of logging, null: it was printed
  primary key (task, attempt, last)
) without rowid;

-- The limits of tasks that wait for them, may run or run. How many tasks of a limit there are is
-- asked here, and never counted.
create table liteq_limit_use (
  task integer not null,                         -- its seq
  key text not null,
  priority integer not null,                     -- of the task
  waits integer not null default 0,              -- 1: it is not let pass yet, and its phase is 0
  primary key (task, key)
) without rowid;
create index liteq_limit_used on liteq_limit_use (key, waits, priority desc, task);

-- The events that tasks wait for. The phase of such a task is 1 if it has an `eta`, when it gives
-- up, and 0 if it has none. A row of a task in another phase means nothing.
create table liteq_event_wait (
  task integer not null,                         -- its seq
  key text not null,
  primary key (task, key)
) without rowid;
create index liteq_event_awaited on liteq_event_wait (key);

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

create table liteq_group (
  id text primary key,
  outer_group text,                              -- the group that it is a member of itself
  position integer not null default 0,
  forgiving integer not null default 0,          -- 1: what waits for it runs even if members fail
  blame text,                                    -- a member that failed
  closed real,                                   -- when its last member ended
  released integer not null default 0,           -- 1: the results of its members are not needed
                                                 -- any more
  options text                                   -- JSON, as in `task`: those that all members have
) without rowid;
create index liteq_group_member on liteq_group (outer_group) where outer_group is not null;

-- Unique keys. Whether one is free is asked: it is when the task has come that far, or is gone. So no
-- crash can leave one behind, and ending a task costs nothing more.
create table liteq_unique (
  key text primary key,
  task text not null,                            -- the id of the one that has it
  until text not null,                           -- started, finished
  keep_until real                                -- or until this time, whatever became of the task
) without rowid;

-- How often a key may pass, and how many tasks of it may run at once.
create table liteq_limit (
  key text primary key,
  running integer,                               -- at once; null: any number
  rate real,                                     -- a second; null: any number
  burst integer,                                 -- that may pass ahead of the rate
  free real,                                     -- when the next one may pass, by the rate
  held real                                      -- none passes before this time
) without rowid;

-- Events, by `app.emit`. The first with a key stays.
create table liteq_event (
  key text primary key,
  value blob not null,
  serializer text not null,
  at real not null,
  keep_until real,                               -- when it counts no longer; null: never
  id text not null                               -- of the call that has emitted it
) without rowid;
create index liteq_event_kept on liteq_event (keep_until) where keep_until is not null;

-- Queues about which something is set, at present only that no worker takes from them.
create table liteq_queue (
  name text primary key,
  paused real,                                   -- since when; null: it is not
  schedules text                                 -- skip: entries that send to it do not, meanwhile
) without rowid;

-- How tasks ended, for each minute; later for each hour. It outlives the tasks.
create table liteq_stat (
  seconds integer not null,                      -- the length of the period
  start integer not null,                        -- when it began
  queue text not null,
  task text not null,                            -- the name
  outcome text not null,
  number integer not null,                       -- of tasks
  waited real not null,                          -- seconds, of all of them together
  ran real not null,                             -- seconds
  waits text not null,                           -- histograms of the two: JSON
  runs text not null,
  primary key (seconds, start, queue, task, outcome)
) without rowid;

-- Orders to workers, such as to grow a pool, and their answers. All that one call has ordered have
-- the same `call`.
create table liteq_order (
  call text not null default (lower(hex(randomblob(16)))),
  worker integer not null,
  name text not null,                            -- what is to be done
  arguments text not null default '{}',          -- JSON
  sent real not null default ((julianday('now') - 2440587.5) * 86400.0),
  expires real not null default ((julianday('now') - 2440587.5) * 86400.0 + 60),
  answered real,
  answer text,                                   -- JSON
  primary key (call, worker)
) without rowid;
create index liteq_order_open on liteq_order (worker) where answered is null;

-- Periodic tasks.
create table liteq_schedule (
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
  undeclared integer not null default 0,         -- 1: the code of `app` defines it no more, it seems
  task text not null,                            -- from here on, what is sent; as in `liteq_task`
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
create index liteq_schedule_due on liteq_schedule (due) where due is not null;

create table liteq_worker (
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
create table liteq_listener (
  address text primary key,
  worker integer,
  owner text not null
) without rowid;

-- Each statement that sends or settles names this view, see `this_schema` in statements.sql. An
-- upgrade drops it, and makes one that is named by the new version: a program that still has the
-- file open then fails before it writes, and finds out why.
create view liteq_schema_3 as select 3 as version;

-- What has come from another store by `liteq move`, which may still have it.
create table liteq_arrival (
  id text not null,
  created real,                                  -- of a task; null: it is a group
  arrived real not null,
  primary key (id, created)
);
