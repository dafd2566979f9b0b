select s, sum(b) as n_true from t group by s
-- spark:
SELECT
  CAST(c0 AS STRING) AS `s`,
  CAST(c1 AS DOUBLE) AS `n_true`
FROM (
  SELECT
    `t`.`s` AS `s`,
    SUM(CAST(`t`.`b` AS INT)) AS `n_true`
  FROM `t` AS `t`
  GROUP BY
    `t`.`s`
) AS outputs(c0, c1)
