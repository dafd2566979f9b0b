select id, row_number() over (order by s, id) as place, rank() over (order by x desc) as place_x from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS BIGINT) AS `place`,
  CAST(c2 AS BIGINT) AS `place_x`
FROM (
  SELECT
    `t`.`id` AS `id`,
    ROW_NUMBER() OVER (ORDER BY `t`.`s` NULLS LAST, `t`.`id` NULLS LAST) AS `place`,
    RANK() OVER (ORDER BY `t`.`x` DESC) AS `place_x`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2)
