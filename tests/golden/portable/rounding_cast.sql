select id, cast(x as integer) as x, cast(x * 2 as bigint) as twice, cast(f as integer) as f, cast(n as integer) as n from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS INT) AS `x`,
  CAST(c2 AS BIGINT) AS `twice`,
  CAST(c3 AS INT) AS `f`,
  CAST(c4 AS INT) AS `n`
FROM (
  SELECT
    `t`.`id` AS `id`,
    CAST(BROUND(`t`.`x`, 0) AS INT) AS `x`,
    CAST(BROUND(`t`.`x` * 2, 0) AS BIGINT) AS `twice`,
    CAST(BROUND(`t`.`f`, 0) AS INT) AS `f`,
    CAST(`t`.`n` AS INT) AS `n`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2, c3, c4)
