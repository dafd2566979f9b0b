select id, f / 2 as half, f * 3 as thrice, f + 0.1 as more, f * f as squared, x * f as wide from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS DOUBLE) AS `half`,
  CAST(c2 AS DOUBLE) AS `thrice`,
  CAST(c3 AS DOUBLE) AS `more`,
  CAST(c4 AS DOUBLE) AS `squared`,
  CAST(c5 AS DOUBLE) AS `wide`
FROM (
  SELECT
    `t`.`id` AS `id`,
    `t`.`f` / 2 AS `half`,
    `t`.`f` * 3 AS `thrice`,
    `t`.`f` + CAST(0.1 AS DOUBLE) AS `more`,
    `t`.`f` * `t`.`f` AS `squared`,
    `t`.`x` * `t`.`f` AS `wide`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2, c3, c4, c5)
