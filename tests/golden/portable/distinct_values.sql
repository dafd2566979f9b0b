select id, list_sort(list_distinct(list_concat(l, l))) as kept from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS ARRAY<INT>) AS `kept`
FROM (
  SELECT
    `t`.`id` AS `id`,
    ARRAY_SORT(
      ARRAY_COMPACT(ARRAY_DISTINCT(CONCAT(COALESCE(`t`.`l`, ARRAY()), COALESCE(`t`.`l`, ARRAY()))))
    ) AS `kept`
  FROM `t` AS `t`
) AS outputs(c0, c1)
