-- The statements of the broker, by name, in the order of the port. statements.py says what stands
-- in braces. All times are bound, and none is SQLite's own, so that tests can set the clock.

-- Fragments

-- fragment: message
-- The fields of a `Message`, in their order.
id, task, cast(payload as blob), serializer, queue, priority, eta, expires, retries,
  acks_late, ignore_result, track_started, options

-- fragment: delivery
-- The fields of a `Delivery`, in their order, see rows.py: the group of a member and its position
-- are where a delivery has the whole member and its inputs. Its place is not known.
{message}, seq, token, lost, reported, attempts, tied, woken_by, member_of, position, null

-- fragment: record
-- The fields of a `Record`, in their order, see rows.py.
select t.id, t.task, cast(t.payload as blob), t.serializer, t.queue, t.priority, t.eta, t.expires,
  t.retries, t.acks_late, t.ignore_result, t.track_started, t.options,
  t.phase, t.token, t.lost, w.name, t.created, t.started, t.finished, t.keep_until,
  t.result, t.result_serializer, t.traceback, t.reported, t.woken_by,
  t.waits, t.barrier, t.member_of, t.position, t.on_failure, t.seq,
  case when t.details and t.phase < {READY}
    then (select e.key from liteq_event_wait e where e.task = t.seq)
  end
from liteq_task t left join liteq_worker w on w.id = t.worker

-- fragment: entry
-- The fields of an `Entry`, in their order, see schedules.py.
name, schedule, '', task, cast(payload as blob), serializer, queue, priority, null, expires,
  0, acks_late, ignore_result, track_started, options, moment, due, planned, version, app, paused,
  runs, last, last_id, misfire, grace, overlap, jitter, expires_after, undeclared

-- fragment: needed
-- Whether the outcome of a task is still to be handed on to others.
(
  exists (
    select 1 from liteq_task w
    where w.waits = liteq_task.id and not w.barrier and w.phase < {SUCCEEDED}
  )
  or exists (select 1 from liteq_group g where g.id = liteq_task.member_of and not g.released)
  or liteq_task.details and exists (
    select 1 from liteq_unique u join liteq_task w on w.seq = u.task
    where u.behind = liteq_task.id and w.phase < {SUCCEEDED}
  )
)

-- fragment: in_schema_3
-- A value. The view is never read, but it is there in this version of the schema only: without it
-- the statement cannot be prepared, and SQLite prepares it anew when the schema has changed.
case when 1 then ? else (select version from liteq_schema_3) end

-- fragment: queue_of
-- The queue of a task, also of one that was left, see passing.py.
substr(queue, 1, instr(queue || char(10), char(10)) - 1)

-- fragment: claimed
-- Whether a receipt (key, token) is that of the present claim.
seq = ? and token = {in_schema_3} and phase = {RUNNING}

-- Sending

-- name: enqueue
-- `or ignore`: a known id is a message that was sent twice. Nothing but the id can conflict: all
-- other constraints are `not null`, and a message has no null there.
insert or ignore into liteq_task (
  id, task, payload, serializer, queue, priority, eta, expires, retries,
  acks_late, ignore_result, track_started, options, phase, created, token
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {in_schema_3})

-- name: enqueue_minimal
-- The same for a message that is ready at once and has no rarely set field, see rows.py.
insert or ignore into liteq_task (
  id, task, payload, serializer, queue, priority, retries,
  acks_late, ignore_result, track_started, phase, created, token
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {READY}, ?, {in_schema_3})

-- name: enqueue_in_workflow
insert or ignore into liteq_task (
  id, task, payload, serializer, queue, priority, eta, expires, retries,
  acks_late, ignore_result, track_started, options, phase, created, token,
  tied, waits, barrier, on_failure, takes, member_of, position, delay
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {in_schema_3}, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: enqueue_group
insert or ignore into liteq_group (id, outer_group, position, forgiving, options)
values (?, ?, ?, ?, ?)

-- name: was_sent_at
select 1 from liteq_task where id = ? and created = ?

-- name: is_known
select 1 from liteq_task where id = ?

-- Working

-- name: claim
-- What it returns is in no order.
update liteq_task set phase = {RUNNING}, worker = :worker, token = token + 1, started = :now
where seq in (
  select seq from liteq_task where phase = {READY} and queue = :q0 and {{open}}
  order by priority desc, seq limit :limit
)
returning {delivery}

-- name: open
-- That nothing is paused, and nothing was left, so that a claim needs no rules. (Asked by a statement
-- of its own it takes 2 us a claim, here a tenth of that.)
not exists (select 1 from liteq_pause) and not exists (select 1 from liteq_left)

-- name: ready_queues
-- All queues that have a ready task, the one with the most urgent first. It goes from queue to
-- queue in the index, so it costs the same however many tasks wait in each.
with recursive first (queue, priority, seq) as (
  select * from (
    select queue, priority, seq from liteq_task where phase = {READY}
    order by queue, priority desc, seq limit 1
  )
  union all
  select t.queue, t.priority, t.seq from first join liteq_task t on t.seq = (
    select seq from liteq_task where phase = {READY} and queue > first.queue
    order by queue, priority desc, seq limit 1
  )
)
select queue from first order by priority desc, seq

-- name: claim_of_many
-- The same for several queues. `heads` is a `head` for each queue, joined by `union all`: each
-- walks its own end of the index, so that no queue is read further than the limit.
update liteq_task set phase = {RUNNING}, worker = :worker, token = token + 1, started = :now
where seq in (
  select seq from ({{heads}}) where {{open}} order by priority desc, seq limit :limit
)
returning {delivery}

-- name: head
-- The first tasks of queue number `n`.
select * from (
  select seq, priority from liteq_task where phase = {READY} and queue = :q{{n}}
  order by priority desc, seq limit :limit
)

-- name: options_of_group
select options from liteq_group where id = ?

-- name: place
select takes, waits, barrier, on_failure, details from liteq_task where seq = ?

-- name: finish
update liteq_task set phase = ?, result = ?, result_serializer = ?, traceback = ?, reported = ?,
  lost = ?, finished = ?, keep_until = ?
where {claimed}

-- name: finish_plain
-- The same without a traceback and a reported state, see rows.py.
update liteq_task set phase = ?, result = ?, result_serializer = ?, traceback = null,
  reported = null, lost = ?, finished = ?, keep_until = ?
where {claimed}

-- name: retry
-- The next attempt of a task, or the same one once more. `token + 1` makes the old receipt void.
update liteq_task set phase = ?, result = ?, result_serializer = ?, traceback = ?, reported = ?,
  lost = ?, task = ?, payload = ?, serializer = ?, queue = ?, priority = ?, eta = ?, expires = ?,
  retries = ?, acks_late = ?, ignore_result = ?, track_started = ?, options = ?,
  token = token + 1, attempts = attempts + 1, started = null
where {claimed}

-- name: suspend
-- The same for a task that goes on later: what it has reported stays.
update liteq_task set phase = ?,
  lost = ?, task = ?, payload = ?, serializer = ?, queue = ?, priority = ?, eta = ?, expires = ?,
  retries = ?, acks_late = ?, ignore_result = ?, track_started = ?, options = ?,
  token = token + 1, attempts = attempts + 1, started = null
where seq = ? and token = ? and phase = {RUNNING}

-- name: replace
-- After `retry`: the task now waits for what was sent in its place, if that is more than the task
-- itself. What it took before is in the messages of those.
update liteq_task set tied = 1, takes = :takes, on_failure = 0, waits = coalesce(:waits, waits),
  barrier = case when :waits is null then barrier else :barrier end
where id = :id

-- name: barrier_of
select waits from liteq_task where id = ? and barrier and waits is not null

-- name: remember
-- How an attempt ended that is not the last one. It runs before the task is updated.
insert into liteq_attempt (task, number, started, ended, worker, outcome, error)
select seq, attempts + 1, started, ?, worker, ?, ? from liteq_task
where seq = ? and token = ? and phase = {RUNNING}

-- name: id_of
select id from liteq_task where seq = ?

-- name: ids_of
-- The keys are a JSON list.
select id from liteq_task where seq in (select value from json_each(?))

-- name: is_ready
select 1 from liteq_task where phase = {READY} and queue = ? limit 1

-- name: release
update liteq_task set phase = {READY}, token = token + 1, started = null
where {claimed}
returning queue

-- name: release_all
update liteq_task set phase = {READY}, token = token + 1, started = null
where phase = {RUNNING} and worker = ?
returning queue

-- name: promote
-- In batches, so that a million etas at the same second do not hold the write lock for long.
update liteq_task set phase = {READY} where seq in (
  select seq from liteq_task where phase = {SCHEDULED} and eta <= ? order by eta limit 500
)
returning queue

-- name: next_eta
-- And whether there is one that is no number, which an index has behind all that are.
select (select min(eta) from liteq_task where phase = {SCHEDULED}),
  (select typeof(max(eta)) in ('text', 'blob') from liteq_task where phase = {SCHEDULED})

-- name: unreadable_etas
-- Set tasks aside whose eta is no number: they would wait for ever.
update liteq_task set phase = {DEAD}, finished = :now, keep_until = :keep_until,
  traceback = task || ' was not run: its eta is no number of seconds: ' || quote(eta)
where seq in (
  select seq from liteq_task where phase = {SCHEDULED} and typeof(eta) in ('text', 'blob')
  order by eta desc limit :limit
)
returning seq, tied

-- name: elect
-- Exactly one rescuer gets a row here.
update liteq_worker set stopped = ? where id = {in_schema_3} and stopped is null

-- name: held
-- The claims of a worker, as deliveries, in the order of claiming.
select {delivery} from liteq_task where phase = {RUNNING} and worker = ?
order by started, priority desc, seq

-- name: to_terminate
select seq, token, id from liteq_task
where worker = ? and revoked is not null and terminate and phase = {RUNNING}

-- Workflows: what follows from the end of a task

-- name: ended_of
-- In the order of the keys, a JSON list: what waits for a group is woken by the last of them.
select t.id, phase, member_of, barrier, waits, keep_until, reported is not null,
  exists (select 1 from liteq_task w where w.waits = t.id and not w.barrier), details
from json_each(?) k cross join liteq_task t on t.seq = k.value order by k.key

-- name: dependents
-- But for those that wait for an event by now, or for the task that has their unique key: they
-- were woken before.
-- `cast`: whatever another program has written there, these are numbers.
select id, cast(on_failure as integer), member_of, cast(eta as real), cast(delay as real)
from liteq_task where waits = ? and barrier = ? and phase = {WAITING}
  and not (details and (
    exists (select 1 from liteq_event_wait e where e.task = liteq_task.seq)
    or exists (
      select 1 from liteq_unique u where u.task = liteq_task.seq and u.behind is not null
    )
  ))
order by seq

-- name: wake
update liteq_task set phase = ?, woken_by = ?, eta = ? where id = ? and phase = {WAITING}
returning queue, details

-- name: skip
update liteq_task set phase = ?, woken_by = ?, finished = ?, keep_until = ?, token = token + 1
where id = ? and phase = {WAITING}
returning details

-- name: drop
delete from liteq_task where id = ? and phase = {WAITING}

-- name: group_is_open
select exists (select 1 from liteq_task where member_of = :id and phase < {SUCCEEDED})
  or exists (select 1 from liteq_group where outer_group = :id and closed is null)

-- name: blame
-- The first member that failed, tasks before groups; of one that was skipped, the task by which it
-- was.
select case phase when {SKIPPED} then coalesce(woken_by, id) else id end, 0 as kind, seq as place
from liteq_task where member_of = :id and phase > {SUCCEEDED}
union all select blame, 1, position from liteq_group
where outer_group = :id and blame is not null and not forgiving
order by kind, place limit 1

-- name: close_group
update liteq_group set closed = ?, blame = ? where id = ? and closed is null
returning outer_group, forgiving

-- name: free_members
-- Unless a task still waits for the group: its members, and those of groups in it, may be swept.
with recursive inner (id) as (
  select :id
  where not exists (select 1 from liteq_task where waits = :id and barrier and phase < {SUCCEEDED})
  union select g.id from liteq_group g join inner on g.outer_group = inner.id
)
update liteq_group set released = 1 where id in (select id from inner)

-- name: input
select phase, result_serializer, result, traceback from liteq_task where id = ?

-- name: failed_input
select phase, result_serializer, result, traceback, woken_by, member_of, position, {message}
from liteq_task where id = ?

-- name: inputs
select cast(position as integer), phase, result_serializer, result, traceback, woken_by
from liteq_task where member_of = ?

-- name: inner_groups
select cast(position as integer), id from liteq_group where outer_group = ? order by position

-- Results

-- name: fetch
{record} where t.id = ?

-- name: fetch_many
-- `marks` is a `?` for each id. (`json_each` takes 27 % longer for two ids, 8 % for twenty.)
{record} where t.id in ({{marks}})

-- name: report
update liteq_task set reported = ?, result = ?, result_serializer = ?
where id = ? and phase < {SUCCEEDED}

-- name: forget
delete from liteq_task where id = ? and phase >= {SUCCEEDED} and not (tied and {needed})

-- name: attempts
select a.number, a.started, a.ended, w.name, a.outcome, a.error
from liteq_task t join liteq_attempt a on a.task = t.seq left join liteq_worker w on w.id = a.worker
where t.id = ? order by a.number

-- name: dependent_ids
select id from liteq_task where waits = ? and barrier = ? order by seq

-- name: members
select id from liteq_task where member_of = ? order by position, seq

-- name: outer_group
select outer_group from liteq_group where id = ?

-- name: revoke
update liteq_task set revoked = {in_schema_3}, terminate = ? where id = ? and phase < {SUCCEEDED}

-- name: cancel_revoked
-- Revoked tasks that do not run end here. Runs after every change that may make a task ready.
update liteq_task set phase = {CANCELLED}, token = token + 1, finished = ?,
  keep_until = nullif(? + revoked, 9e999)
where revoked is not null and phase < {RUNNING}
returning seq, tied

-- name: revive
update liteq_task set phase = {READY}, token = token + 1, retries = 0, lost = 0, eta = null,
  queue = {queue_of},
  expires = null, started = null, finished = null, keep_until = null, revoked = null,
  terminate = 0, result = null, result_serializer = null, traceback = null, reported = null,
  attempts = attempts + (started is not null and phase <> {EXPIRED})
where id = ? and phase > {SUCCEEDED}
returning details

-- name: reopen_groups
-- Groups that had failed because of a revived task.
update liteq_group set closed = null, blame = null, released = 0 where blame = ?

-- name: unskip
-- Tasks that were skipped because of a revived task wait again.
update liteq_task set phase = {WAITING}, token = token + 1, woken_by = null, finished = null,
  keep_until = null
where woken_by = ? and phase = {SKIPPED}

-- name: remember_last
-- The attempt that stands in the task itself, before it is revived.
insert into liteq_attempt (task, number, started, ended, worker, outcome, error)
select seq, attempts + 1, started, finished, worker, ?, traceback from liteq_task
where id = ? and phase = ? and started is not null

-- name: sweep
delete from liteq_task where seq in (
  select seq from liteq_task
  where keep_until is not null and keep_until <= ? and not (tied and {needed})
  order by keep_until limit ?
)

-- name: sweep_groups
-- Those without a member, in themselves or in a group in them.
delete from liteq_group where released and not exists (
  with recursive inner (id) as (
    select liteq_group.id
    union select g.id from liteq_group g join inner on g.outer_group = inner.id
  )
  select 1 from liteq_task where member_of in (select id from inner)
)

-- Schedules

-- name: schedule
insert or ignore into liteq_schedule (
  schedule, task, payload, serializer, queue, priority, expires, acks_late, ignore_result,
  track_started, options, moment, due, planned, app, paused, runs, last, last_id, misfire, grace,
  overlap, jitter, expires_after, undeclared, name, version
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {in_schema_3})

-- name: reschedule
-- The last two values are the name, and the version that is replaced.
update liteq_schedule set version = version + 1,
  schedule = ?, task = ?, payload = ?, serializer = ?, queue = ?, priority = ?, expires = ?,
  acks_late = ?, ignore_result = ?, track_started = ?, options = ?, moment = ?, due = ?,
  planned = ?, app = ?, paused = ?, runs = ?, last = ?, last_id = ?, misfire = ?, grace = ?,
  overlap = ?, jitter = ?, expires_after = ?, undeclared = ?
where name = ? and version = {in_schema_3}

-- name: unschedule
delete from liteq_schedule where name = ?

-- name: schedules
select {entry} from liteq_schedule order by name

-- name: schedule_named
select {entry} from liteq_schedule where name = ?

-- name: schedules_due
select {entry} from liteq_schedule where due <= ? order by name

-- name: next_fire
select min(due) from liteq_schedule where due is not null and typeof(due) in ('real', 'integer')

-- name: advance
update liteq_schedule set version = version + 1, moment = ?, due = ?, planned = ?
where name = ? and version = {in_schema_3}

-- name: count_run
update liteq_schedule set runs = ?, last = ?, last_id = ? where name = ?

-- name: unfinished_run
select 1 from liteq_schedule s join liteq_task t on t.id = s.last_id
where s.name = ? and t.phase < {SUCCEEDED}

-- Workers

-- name: register
insert into liteq_worker (name, owner, pid, host, started, beat, info) values (?, ?, ?, ?, ?, ?, ?)

-- name: beat
update liteq_worker set beat = ?, info = ? where id = ?

-- name: stop_worker
update liteq_worker set stopped = ? where id = ?

-- name: workers
select id, name, pid, host, started, beat, stopped, info, owner from liteq_worker
where stopped is null order by id

-- name: forget_workers
delete from liteq_worker where stopped < ?

-- Listeners

-- name: listen
insert or replace into liteq_listener (address, worker, owner) values (?, ?, ?)

-- name: unlisten
delete from liteq_listener where address = ?

-- name: unlisten_worker
delete from liteq_listener where worker = ?

-- name: work_listeners
select address from liteq_listener where worker is not null

-- name: all_listeners
select address from liteq_listener

-- name: listeners
select address, owner from liteq_listener

-- name: listeners_after
select address, owner from liteq_listener where address > ? order by address limit ?

-- Tools

-- name: counts
select queue, phase, count(*) from liteq_task group by queue, phase

-- name: listing
-- `phases` is `= 6` or `in (1,2)`: only with `=` and a number the index `liteq_task_dead` can be
-- used. `:headers` is a JSON list of [name, value] pairs; values are compared as JSON, so that 1
-- and "1" differ. (`->` needs SQLite 3.38.) A stamp counts like a header, and each item of a list
-- of them.
with wanted (header, stamp, value) as materialized (
  select '$.headers.' || json_quote(json_extract(value, '$[0]')),
    '$.stamps.' || json_quote(json_extract(value, '$[0]')), json_extract(value, '$[1]')
  from json_each(:headers)
)
{record}
where t.phase {{phases}}
  and (:task is null or t.task = :task)
  and (:queue is null or :queue in (t.queue, {queue_of}))
  and (:worker is null or w.name = :worker)
  and (:since is null or t.created >= :since)
  and (:beyond is null or t.seq {{after}} :beyond)
  and (:text is null or instr(t.id, :text) or instr(t.task, :text)
    or instr(t.traceback, :text) or instr(cast(t.payload as blob), cast(:text as blob)))
  and (:headers is null or json_valid(t.options)
    and exists (select 1 from wanted where json_extract(t.options, header) = wanted.value
      or json_type(t.options, stamp) <> 'object'
      and wanted.value in (select value from json_each(t.options, stamp))))
order by t.seq {{order}} limit :limit

-- name: purge
-- `:queues` is a JSON list of names; null for all queues.
delete from liteq_task where phase in ({SCHEDULED}, {READY}) and not tied
  and (:queues is null or {queue_of} in (select value from json_each(:queues)))

-- name: purge_tied
-- Others wait for these, so they are not dropped but end as cancelled.
update liteq_task set phase = {CANCELLED}, token = token + 1, finished = :now, keep_until = :now
where phase in ({SCHEDULED}, {READY}) and tied
  and (:queues is null or {queue_of} in (select value from json_each(:queues)))
returning seq
