-- uses head, leases, claiming, passing
--
-- Return some of the inputs from a group that is too large for one script.
--
-- KEYS     the prefix
-- ARGV     now, group; the index of its members, `members` or `inner`; from which rank to which
-- Returns  position and input of each member (`read_group` in inputs.py); nil if what is stored of
--          one cannot be read

local group, index, first, last = next_args(4)
local found = {}
return try(add_inputs, found, group, index, first, last) and found
