select columns(lambda c: c not in ('l', 'ts')) from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS INT) AS `n`,
  CAST(c2 AS DOUBLE) AS `x`,
  CAST(c3 AS DOUBLE) AS `f`,
  CAST(c4 AS STRING) AS `s`,
  CAST(c5 AS BOOLEAN) AS `b`
FROM (
  SELECT
    `t`.`id` AS `id`,
    `t`.`n` AS `n`,
    `t`.`x` AS `x`,
    `t`.`f` AS `f`,
    `t`.`s` AS `s`,
    `t`.`b` AS `b`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2, c3, c4, c5)
