select id, date_trunc('day', ts) as day, date_trunc('month', ts) as month from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS TIMESTAMP_NTZ) AS `day`,
  CAST(c2 AS TIMESTAMP_NTZ) AS `month`
FROM (
  SELECT
    `t`.`id` AS `id`,
    CAST(DATE_TRUNC('DAY', `t`.`ts`) AS TIMESTAMP_NTZ) AS `day`,
    CAST(DATE_TRUNC('MONTH', `t`.`ts`) AS TIMESTAMP_NTZ) AS `month`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2)
