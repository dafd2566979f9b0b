select s, b, count(*) as n_rows from t group by all
-- spark:
SELECT
  CAST(c0 AS STRING) AS `s`,
  CAST(c1 AS BOOLEAN) AS `b`,
  CAST(c2 AS BIGINT) AS `n_rows`
FROM (
  SELECT
    `t`.`s` AS `s`,
    `t`.`b` AS `b`,
    COUNT(*) AS `n_rows`
  FROM `t` AS `t`
  GROUP BY
    `t`.`s`,
    `t`.`b`
) AS outputs(c0, c1, c2)
