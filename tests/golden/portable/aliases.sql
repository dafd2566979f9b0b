select id, n * 2 as twice, twice + 1 as more from t where twice > 2
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS INT) AS `twice`,
  CAST(c2 AS INT) AS `more`
FROM (
  SELECT
    `t`.`id` AS `id`,
    `t`.`n` * 2 AS `twice`,
    `t`.`n` * 2 + 1 AS `more`
  FROM `t` AS `t`
  WHERE
    (
      `t`.`n` * 2
    ) > 2
) AS outputs(c0, c1, c2)
