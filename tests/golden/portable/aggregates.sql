select s, any_value(x) as any_x, string_agg(cast(id as varchar), ', ' order by id) as ids, arg_max(id, n) as best, count_if(b) as hits from t group by s
-- spark:
SELECT
  CAST(c0 AS STRING) AS `s`,
  CAST(c1 AS DOUBLE) AS `any_x`,
  CAST(c2 AS STRING) AS `ids`,
  CAST(c3 AS INT) AS `best`,
  CAST(c4 AS DOUBLE) AS `hits`
FROM (
  SELECT
    `t`.`s` AS `s`,
    ANY_VALUE(`t`.`x`) IGNORE NULLS AS `any_x`,
    LISTAGG(CAST(`t`.`id` AS STRING), ', ') WITHIN GROUP (ORDER BY
      `t`.`id` NULLS LAST) AS `ids`,
    MAX_BY(`t`.`id`, `t`.`n`) AS `best`,
    COUNT_IF(`t`.`b`) AS `hits`
  FROM `t` AS `t`
  GROUP BY
    `t`.`s`
) AS outputs(c0, c1, c2, c3, c4)
