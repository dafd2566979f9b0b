select quantile_disc(n, [0.1, 0.6000000000000001, 0.9]) filter (where b) as some, quantile_disc(n, 0.2) as one, quantile_disc(x, [0.5]) filter (where n > 99) as none from t
-- spark:
SELECT
  CAST(c0 AS ARRAY<INT>) AS `some`,
  CAST(c1 AS INT) AS `one`,
  CAST(c2 AS ARRAY<DOUBLE>) AS `none`
FROM (
  SELECT
    CASE
      WHEN COUNT(`t`.`n`) FILTER(WHERE
        `t`.`b`) > 0
      THEN ARRAY(
        TRY_ELEMENT_AT(
          ARRAY_SORT(COLLECT_LIST(`t`.`n`) FILTER(WHERE
            `t`.`b`)),
          CAST(GREATEST(CEIL(CAST(0.1 AS DECIMAL(17, 16)) * COUNT(`t`.`n`) FILTER(WHERE
            `t`.`b`)), 1) AS INT)
        ),
        TRY_ELEMENT_AT(
          ARRAY_SORT(COLLECT_LIST(`t`.`n`) FILTER(WHERE
            `t`.`b`)),
          CAST(GREATEST(
            CEIL(
              CAST(0.6000000000000001 AS DECIMAL(17, 16)) * COUNT(`t`.`n`) FILTER(WHERE
                `t`.`b`)
            ),
            1
          ) AS INT)
        ),
        TRY_ELEMENT_AT(
          ARRAY_SORT(COLLECT_LIST(`t`.`n`) FILTER(WHERE
            `t`.`b`)),
          CAST(GREATEST(CEIL(CAST(0.9 AS DECIMAL(17, 16)) * COUNT(`t`.`n`) FILTER(WHERE
            `t`.`b`)), 1) AS INT)
        )
      )
    END AS `some`,
    TRY_ELEMENT_AT(
      ARRAY_SORT(COLLECT_LIST(`t`.`n`)),
      CAST(GREATEST(CEIL(CAST(0.2 AS DECIMAL(17, 16)) * COUNT(`t`.`n`)), 1) AS INT)
    ) AS `one`,
    CASE
      WHEN COUNT(`t`.`x`) FILTER(WHERE
        `t`.`n` > 99) > 0
      THEN ARRAY(
        TRY_ELEMENT_AT(
          ARRAY_SORT(COLLECT_LIST(`t`.`x`) FILTER(WHERE
            `t`.`n` > 99)),
          CAST(GREATEST(
            CEIL(CAST(0.5 AS DECIMAL(17, 16)) * COUNT(`t`.`x`) FILTER(WHERE
              `t`.`n` > 99)),
            1
          ) AS INT)
        )
      )
    END AS `none`
  FROM `t` AS `t`
) AS outputs(c0, c1, c2)
