select quantile_cont(x, 0.5) as half, quantile_cont(x, [0.1, 0.9]) as ends, median(n) as middle from t
-- spark:
SELECT
  CAST(c0 AS DOUBLE) AS `half`,
  CAST(c1 AS ARRAY<DOUBLE>) AS `ends`,
  CAST(c2 AS DOUBLE) AS `middle`
FROM (
  SELECT
    PERCENTILE(`t`.`x`, CAST(0.5 AS DOUBLE)) AS `half`,
    PERCENTILE(`t`.`x`, ARRAY(CAST(0.1 AS DOUBLE), CAST(0.9 AS DOUBLE))) AS `ends`,
    PERCENTILE(`t`.`n`, 0.5) AS `middle`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2)
