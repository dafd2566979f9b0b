select
    id,
    list_dot_product(cast(l as double[]), cast(l as double[])) as squared,
    list_dot_product(cast(list_concat(l, [id]) as double[]), cast(list_concat([n], l) as double[])) as computed
from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS DOUBLE) AS `squared`,
  CAST(c2 AS DOUBLE) AS `computed`
FROM (
  SELECT
    `t`.`id` AS `id`,
    AGGREGATE(
      TRANSFORM(`t`.`l`, (p, i) -> CAST(p AS DOUBLE) * CAST(ELEMENT_AT(`t`.`l`, i + 1) AS DOUBLE)),
      CAST(0 AS DOUBLE),
      (s, q) -> s + q
    ) AS `squared`,
    AGGREGATE(
      ARRAYS_ZIP(
        CAST(CONCAT(COALESCE(`t`.`l`, ARRAY()), ARRAY(`t`.`id`)) AS ARRAY<DOUBLE>),
        CAST(CONCAT(ARRAY(`t`.`n`), COALESCE(`t`.`l`, ARRAY())) AS ARRAY<DOUBLE>)
      ),
      CAST(0 AS DOUBLE),
      (s, z) -> s + z.`0` * z.`1`
    ) AS `computed`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2)
