select id, list(x) over (order by id rows between 2 preceding and 1 preceding) as before, list(s) over (partition by b order by id) as texts from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS ARRAY<DOUBLE>) AS `before`,
  CAST(c2 AS ARRAY<STRING>) AS `texts`
FROM (
  SELECT
    `t`.`id` AS `id`,
    CASE
      WHEN COUNT(*) OVER (ORDER BY `t`.`id` NULLS LAST rows BETWEEN 2 preceding AND 1 preceding) > 0
      THEN TRANSFORM(
        COLLECT_LIST(STRUCT(`t`.`x` AS `x`)) OVER (ORDER BY `t`.`id` NULLS LAST rows BETWEEN 2 preceding AND 1 preceding),
        s -> s.`x`
      )
    END AS `before`,
    CASE
      WHEN COUNT(*) OVER (PARTITION BY `t`.`b` ORDER BY `t`.`id` NULLS LAST) > 0
      THEN TRANSFORM(
        COLLECT_LIST(STRUCT(`t`.`s` AS `s`)) OVER (PARTITION BY `t`.`b` ORDER BY `t`.`id` NULLS LAST),
        s -> s.`s`
      )
    END AS `texts`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2)
