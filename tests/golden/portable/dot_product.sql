select id, list_dot_product(cast(l as double[]), cast(l as double[])) as squared from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS DOUBLE) AS `squared`
FROM (
  SELECT
    `t`.`id` AS `id`,
    AGGREGATE(
      ARRAYS_ZIP(CAST(`t`.`l` AS ARRAY<DOUBLE>), CAST(`t`.`l` AS ARRAY<DOUBLE>)),
      CAST(0 AS DOUBLE),
      (s, z) -> s + z.`0` * z.`1`
    ) AS `squared`
  FROM `t` AS `t`
) AS outputs(c0, c1)
