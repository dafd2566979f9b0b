select 1 as side, y from (with a as (select id as y from t) select y from a) union all select 2 as side, y from (with a as (select n as y from t) select y from a)
-- spark:
WITH `a_2` AS (
  SELECT
    `t`.`id` AS `y`
  FROM `t` AS `t`
), `a_1` AS (
  SELECT
    `t`.`n` AS `y`
  FROM `t` AS `t`
)
SELECT
  CAST(c0 AS INT) AS `side`,
  CAST(c1 AS INT) AS `y`
FROM (
  SELECT
    1 AS `side`,
    `_0`.`y` AS `y`
  FROM (
    SELECT
      `a`.`y` AS `y`
    FROM `a_2` AS `a`
  ) AS `_0`
  UNION ALL
  SELECT
    2 AS `side`,
    `_1`.`y` AS `y`
  FROM (
    SELECT
      `a`.`y` AS `y`
    FROM `a_1` AS `a`
  ) AS `_1`
) AS outputs(c0, c1)
