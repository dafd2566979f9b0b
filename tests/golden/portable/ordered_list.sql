select s, list(id order by n desc, id) as ids, list(x order by id) as xs, list(l order by id) as lists, list(id order by id) filter (where b) as some from t group by s
-- spark:
SELECT
  CAST(c0 AS STRING) AS `s`,
  CAST(c1 AS ARRAY<INT>) AS `ids`,
  CAST(c2 AS ARRAY<DOUBLE>) AS `xs`,
  CAST(c3 AS ARRAY<ARRAY<INT>>) AS `lists`,
  CAST(c4 AS ARRAY<INT>) AS `some`
FROM (
  SELECT
    `t`.`s` AS `s`,
    TRANSFORM(
      ARRAY_SORT(
        COLLECT_LIST(STRUCT(`t`.`n` AS `k0`, `t`.`id` AS `k1`, `t`.`id` AS `id`)),
        (a, b) -> CASE
          WHEN a.k0 > b.k0
          THEN -1
          WHEN a.k0 < b.k0
          THEN 1
          WHEN b.k0 IS NULL AND NOT a.k0 IS NULL
          THEN -1
          WHEN a.k0 IS NULL AND NOT b.k0 IS NULL
          THEN 1
          WHEN a.k1 < b.k1
          THEN -1
          WHEN a.k1 > b.k1
          THEN 1
          WHEN b.k1 IS NULL AND NOT a.k1 IS NULL
          THEN -1
          WHEN a.k1 IS NULL AND NOT b.k1 IS NULL
          THEN 1
          ELSE 0
        END
      ),
      s -> s.`id`
    ) AS `ids`,
    TRANSFORM(
      ARRAY_SORT(
        COLLECT_LIST(STRUCT(`t`.`id` AS `k0`, `t`.`x` AS `x`)),
        (a, b) -> CASE
          WHEN a.k0 < b.k0
          THEN -1
          WHEN a.k0 > b.k0
          THEN 1
          WHEN b.k0 IS NULL AND NOT a.k0 IS NULL
          THEN -1
          WHEN a.k0 IS NULL AND NOT b.k0 IS NULL
          THEN 1
          ELSE 0
        END
      ),
      s -> s.`x`
    ) AS `xs`,
    TRANSFORM(
      ARRAY_SORT(
        COLLECT_LIST(STRUCT(`t`.`id` AS `k0`, `t`.`l` AS `l`)),
        (a, b) -> CASE
          WHEN a.k0 < b.k0
          THEN -1
          WHEN a.k0 > b.k0
          THEN 1
          WHEN b.k0 IS NULL AND NOT a.k0 IS NULL
          THEN -1
          WHEN a.k0 IS NULL AND NOT b.k0 IS NULL
          THEN 1
          ELSE 0
        END
      ),
      s -> s.`l`
    ) AS `lists`,
    CASE
      WHEN COUNT(*) FILTER(WHERE
        `t`.`b`) > 0
      THEN TRANSFORM(
        ARRAY_SORT(
          COLLECT_LIST(STRUCT(`t`.`id` AS `k0`, `t`.`id` AS `id`)) FILTER(WHERE
            `t`.`b`),
          (a, b) -> CASE
            WHEN a.k0 < b.k0
            THEN -1
            WHEN a.k0 > b.k0
            THEN 1
            WHEN b.k0 IS NULL AND NOT a.k0 IS NULL
            THEN -1
            WHEN a.k0 IS NULL AND NOT b.k0 IS NULL
            THEN 1
            ELSE 0
          END
        ),
        s -> s.`id`
      )
    END AS `some`
  FROM `t` AS `t`
  GROUP BY
    `t`.`s`
) AS outputs(c0, c1, c2, c3, c4)
