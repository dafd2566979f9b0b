select id, list_dot_product(cast(l as double[]), cast(l as double[])) as squared from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS DOUBLE) AS `squared`
FROM (
  SELECT
    `t`.`id` AS `id`,
    AGGREGATE(
      TRANSFORM(
        CAST(`t`.`l` AS ARRAY<DOUBLE>),
        (p, i) -> p * ELEMENT_AT(CAST(`t`.`l` AS ARRAY<DOUBLE>), i + 1)
      ),
      CAST(0 AS DOUBLE),
      (p, q) -> p + q
    ) AS `squared`
  FROM `t` AS `t`
) AS outputs(c0, c1)
