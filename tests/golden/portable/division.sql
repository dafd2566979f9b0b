select id, x / n as by_column, n / 2 as half, n / (n - 1) as by_expression from t
-- spark:
SELECT
  CAST(c0 AS INT) AS `id`,
  CAST(c1 AS DOUBLE) AS `by_column`,
  CAST(c2 AS DOUBLE) AS `half`,
  CAST(c3 AS DOUBLE) AS `by_expression`
FROM (
  SELECT
    `t`.`id` AS `id`,
    (
      CASE
        WHEN `t`.`n` = 0
        THEN (
          CAST(`t`.`x` AS DOUBLE)
        ) * CAST('Infinity' AS DOUBLE)
        ELSE `t`.`x` / `t`.`n`
      END
    ) AS `by_column`,
    `t`.`n` / 2 AS `half`,
    (
      CASE
        WHEN (
          `t`.`n` - 1
        ) = 0
        THEN (
          CAST(`t`.`n` AS DOUBLE)
        ) * CAST('Infinity' AS DOUBLE)
        ELSE `t`.`n` / (
          `t`.`n` - 1
        )
      END
    ) AS `by_expression`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2, c3)
