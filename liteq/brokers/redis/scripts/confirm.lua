-- uses head
--
-- Forget that tasks and groups have arrived from another store, which has discarded them.
--
-- KEYS     the prefix
-- ARGV     now; of each: id, and when it was sent (empty: it is a group) (`arrivals_args` in
--          moving.py)
-- Returns  1

while more_args() do
  call("HDEL", P .. "arrived", table.concat({ next_args(2) }, "\n"))
end
return end_script(1)
