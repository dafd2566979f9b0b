select count(distinct (s, b)) as pairs, count(distinct s) as singles from t
-- spark:
SELECT
  CAST(c0 AS BIGINT) AS `pairs`,
  CAST(c1 AS BIGINT) AS `singles`
FROM (
  SELECT
    COUNT(DISTINCT STRUCT(`t`.`s`, `t`.`b`)) AS `pairs`,
    COUNT(DISTINCT `t`.`s`) AS `singles`
  FROM `t` AS `t`
) AS outputs(c0, c1)
