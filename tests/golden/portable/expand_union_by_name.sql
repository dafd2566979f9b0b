select id, s from t union all by name select n, id from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS STRING) AS `s`,
  CAST(c2 AS INT) AS `n`
FROM (
  SELECT
    `__side`.`id` AS `id`,
    `__side`.`s` AS `s`,
    CAST(NULL AS INT) AS `n`
  FROM (
    SELECT
      `t`.`id` AS `id`,
      `t`.`s` AS `s`
    FROM `t` AS `t`
  ) AS `__side`
  UNION ALL
  SELECT
    `__side`.`id` AS `id`,
    CAST(NULL AS STRING) AS `s`,
    `__side`.`n` AS `n`
  FROM (
    SELECT
      `t`.`n` AS `n`,
      `t`.`id` AS `id`
    FROM `t` AS `t`
  ) AS `__side`
) AS outputs(c0, c1, c2)
