select quantile_cont(x, 0.5) as median, quantile_cont(x, [0.1, 0.9]) as ends, quantile_disc(n, [0.1, 0.5, 0.9]) filter (where b) as some, quantile_disc(n, 0.5) as one, median(n) as middle from t
-- spark:
SELECT
  CAST(c0 AS DOUBLE) AS `median`,
  CAST(c1 AS ARRAY<DOUBLE>) AS `ends`,
  CAST(c2 AS ARRAY<INT>) AS `some`,
  CAST(c3 AS INT) AS `one`,
  CAST(c4 AS DOUBLE) AS `middle`
FROM (
  SELECT
    PERCENTILE(`t`.`x`, CAST(0.5 AS DOUBLE)) AS `median`,
    PERCENTILE(`t`.`x`, ARRAY(CAST(0.1 AS DOUBLE), CAST(0.9 AS DOUBLE))) AS `ends`,
    PERCENTILE_DISC(ARRAY(CAST(0.1 AS DOUBLE), CAST(0.5 AS DOUBLE), CAST(0.9 AS DOUBLE))) WITHIN GROUP (ORDER BY
      `t`.`n`) FILTER(WHERE
      `t`.`b`) AS `some`,
    PERCENTILE_DISC(CAST(0.5 AS DOUBLE)) WITHIN GROUP (ORDER BY
      `t`.`n`) AS `one`,
    PERCENTILE(`t`.`n`, 0.5) AS `middle`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2, c3, c4)
