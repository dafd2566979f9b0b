select id, (cast(n as bigint) << 32) | id as packed, ((cast(n as bigint) << 32) | id) >> 32 as n, n // 2 as half, -n % 2 as odd from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS BIGINT) AS `packed`,
  CAST(c2 AS BIGINT) AS `n`,
  CAST(c3 AS INT) AS `half`,
  CAST(c4 AS INT) AS `odd`
FROM (
  SELECT
    `t`.`id` AS `id`,
    (
      SHIFTLEFT(CAST(`t`.`n` AS BIGINT), 32)
    ) | `t`.`id` AS `packed`,
    SHIFTRIGHT((
      (
        SHIFTLEFT(CAST(`t`.`n` AS BIGINT), 32)
      ) | `t`.`id`
    ), 32) AS `n`,
    `t`.`n` DIV 2 AS `half`,
    -`t`.`n` % 2 AS `odd`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2, c3, c4)
