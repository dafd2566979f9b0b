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
    __DOT_PRODUCT(`t`.`l`, `t`.`l`) AS `squared`,
    __DOT_PRODUCT(
      CONCAT(COALESCE(`t`.`l`, ARRAY()), ARRAY(`t`.`id`)),
      CONCAT(ARRAY(`t`.`n`), COALESCE(`t`.`l`, ARRAY()))
    ) AS `computed`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2)
