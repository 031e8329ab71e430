# Databricks notebook source
RULES = {"positive": "balance > 0", "known": "id IS NOT NULL"}
