select s, -n as n, x from t qualify t.id < 5 and row_number() over (partition by s order by t.n desc, id) = 1
-- spark:
SELECT
  CAST(c0 AS STRING) AS `s`,
  CAST(c1 AS INT) AS `n`,
  CAST(c2 AS DOUBLE) AS `x`
FROM (
  SELECT
    `__kept`.`s` AS `s`,
    `__kept`.`n` AS `n`,
    `__kept`.`x` AS `x`
  FROM (
    SELECT
      `t`.`s` AS `s`,
      -`t`.`n` AS `n`,
      `t`.`x` AS `x`,
      `t`.`id` < 5
      AND ROW_NUMBER() OVER (PARTITION BY `t`.`s` ORDER BY `t`.`n` DESC, `t`.`id` NULLS LAST) = 1 AS `__keep`
    FROM `t` AS `t`
  ) AS `__kept`
  WHERE
    `__kept`.`__keep`
) AS outputs(c0, c1, c2)
