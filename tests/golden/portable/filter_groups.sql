with g as (select * from t where id > 1) select s, sum(n) as c, row_number() over w as r from g group by s window w as (order by s) qualify r <= 2 and c > 1 and dense_rank() over (order by c) = 1
-- spark:
WITH `g` AS (
  SELECT
    `t`.`id` AS `id`,
    `t`.`n` AS `n`,
    `t`.`x` AS `x`,
    `t`.`f` AS `f`,
    `t`.`s` AS `s`,
    `t`.`b` AS `b`,
    `t`.`l` AS `l`,
    `t`.`ts` AS `ts`
  FROM `t` AS `t`
  WHERE
    `t`.`id` > 1
)
SELECT
  CAST(c0 AS STRING) AS `s`,
  CAST(c1 AS DOUBLE) AS `c`,
  CAST(c2 AS BIGINT) AS `r`
FROM (
  SELECT
    `__kept`.`s` AS `s`,
    `__kept`.`c` AS `c`,
    `__kept`.`r` AS `r`
  FROM (
    SELECT
      `g`.`s` AS `s`,
      SUM(`g`.`n`) AS `c`,
      ROW_NUMBER() OVER `w` AS `r`,
      ROW_NUMBER() OVER `w` <= 2
      AND SUM(`g`.`n`) > 1
      AND DENSE_RANK() OVER (ORDER BY SUM(`g`.`n`) NULLS LAST) = 1 AS `__keep`
    FROM `g` AS `g`
    GROUP BY
      `g`.`s`
    WINDOW `w` AS (ORDER BY `g`.`s` NULLS LAST)
  ) AS `__kept`
  WHERE
    `__kept`.`__keep`
) AS outputs(c0, c1, c2)
