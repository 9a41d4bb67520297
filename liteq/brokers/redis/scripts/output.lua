-- What tasks print and log: for each task a sorted set of texts that no script reads. Each has some
-- lines, and the place of the last of them as its score, see output.py.

-- Read output from the arguments, as `settlement_args` in output.py has it: 0; or 1, and whether it
-- is the first of its run, the places of the first line of the oldest attempt that is kept, of the
-- beginning of its own attempt, of the first line of that which is kept, and of its last line; and
-- the lines. Return it unread, to be stored by `store_output`; nil for 0.
local function read_output()
  if next_arg() == "0" then return nil end
  local begins, oldest, attempt, keep_from, last, lines = next_args(6)
  return {
    begins = begins == "1", oldest = oldest, attempt = attempt, keep_from = keep_from,
    last = last, lines = lines,
  }
end

local function store_output(id, output)
  local key = P .. "output:" .. id
  if output.begins then
    call("ZREMRANGEBYSCORE", key, "-inf", "(" .. output.oldest)
    call("ZREMRANGEBYSCORE", key, output.attempt, "+inf")
  end
  call("ZREMRANGEBYSCORE", key, output.attempt, "(" .. output.keep_from)
  call("ZADD", key, output.last, output.lines)
end
