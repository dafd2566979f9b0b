select id, list_concat(l, [7, 8]) as longer, list_concat(l, null) as same from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS ARRAY<INT>) AS `longer`,
  CAST(c2 AS ARRAY<INT>) AS `same`
FROM (
  SELECT
    `t`.`id` AS `id`,
    CONCAT(COALESCE(`t`.`l`, ARRAY()), ARRAY(7, 8)) AS `longer`,
    CONCAT(COALESCE(`t`.`l`, ARRAY()), COALESCE(NULL, ARRAY())) AS `same`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2)
