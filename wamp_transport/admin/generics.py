"""Django's generic classes with type arguments. Only type checkers see the arguments."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin

if TYPE_CHECKING:
    AnyModelForm = forms.ModelForm[Any]
    AnyInlineFormSet = forms.BaseInlineFormSet[Any, Any, forms.ModelForm[Any]]
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyTabularInline = admin.TabularInline[Any, Any]
else:
    AnyModelForm = forms.ModelForm
    AnyInlineFormSet = forms.BaseInlineFormSet
    AnyModelAdmin = admin.ModelAdmin
    AnyTabularInline = admin.TabularInline

__all__ = ["AnyInlineFormSet", "AnyModelAdmin", "AnyModelForm", "AnyTabularInline"]
