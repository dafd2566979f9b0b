select id, 0.1 * n as tenth, 1 / 3.0 as third, 1e-3 as small, sum(0.5) over () as halves from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS DECIMAL(12, 1)) AS `tenth`,
  CAST(c2 AS DOUBLE) AS `third`,
  CAST(c3 AS DOUBLE) AS `small`,
  CAST(c4 AS DECIMAL(38, 1)) AS `halves`
FROM (
  SELECT
    `t`.`id` AS `id`,
    CAST(0.1 AS DOUBLE) * `t`.`n` AS `tenth`,
    1 / CAST(3.0 AS DOUBLE) AS `third`,
    CAST(1e-3 AS DOUBLE) AS `small`,
    SUM(CAST(0.5 AS DOUBLE)) OVER () AS `halves`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2, c3, c4)
