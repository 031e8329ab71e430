{#
    Edges of the dbt graph as a JSON array, one object per edge: from_name, from_kind, to_name, to_kind, edge_kind.

    Args: none.
    Example: `from_json('{{ dbt_lineage_edges() }}', 'array<struct<from_name: string>>')`
    Note: the graph is known when dbt runs, not when it parses; while parsing the answer is `[]`. Tests are no data and have
    no edge. An ephemeral model is no table, so its readers are joined to what it reads.
#}
{% macro dbt_lineage_edges() -%}
    {%- if not execute -%}{{ return('[]') }}{%- endif -%}
    {%- set edges = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type in ('model', 'seed', 'snapshot') -%}
        {%- if node.config.materialized != 'ephemeral' -%}
            {%- set to = _lineage_end(node.unique_id) -%}
            {%- for parent_id in _tables_read_by(node.unique_id) -%}
                {%- set from = _lineage_end(parent_id) -%}
                {%- do edges.append({'from_name': from.name, 'from_kind': from.kind, 'to_name': to.name,
                                     'to_kind': to.kind, 'edge_kind': 'dbt'}) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for exposure in graph.exposures.values() -%}
        {%- for parent_id in exposure.depends_on.nodes -%}
            {%- if parent_id in graph.nodes or parent_id in graph.sources -%}
                {%- set from = _lineage_end(parent_id) -%}
                {%- do edges.append({'from_name': from.name, 'from_kind': from.kind, 'to_name': exposure.name,
                                     'to_kind': 'exposure', 'edge_kind': 'exposure'}) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(tojson(edges) | replace("\\", "\\\\") | replace("'", "\\'")) }}
{%- endmacro %}


{# Name and kind of a table in the graph. A source is a dataset: what the pipeline lands. #}
{% macro _lineage_end(unique_id) -%}
    {%- if unique_id in graph.sources -%}
        {%- set source_node = graph.sources[unique_id] -%}
        {{ return({'name': (source_node.schema ~ '.' ~ source_node.identifier) | lower, 'kind': 'dataset'}) }}
    {%- endif -%}
    {%- set node = graph.nodes[unique_id] -%}
    {{ return({'name': (node.schema ~ '.' ~ (node.alias or node.name)) | lower, 'kind': node.resource_type | string}) }}
{%- endmacro %}


{% macro _tables_read_by(unique_id) -%}
    {%- set parents = [] -%}
    {%- for parent_id in graph.nodes[unique_id].depends_on.nodes -%}
        {%- if parent_id in graph.nodes and graph.nodes[parent_id].config.materialized == 'ephemeral' -%}
            {%- do parents.extend(_tables_read_by(parent_id)) -%}
        {%- elif parent_id in graph.nodes or parent_id in graph.sources -%}
            {%- do parents.append(parent_id) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(parents | unique | list) }}
{%- endmacro %}
